import MediaRTP
import SansIO
import SwiftICE

/// One message of each format, as peers of the network send them.
enum Samples {
    static let password = "417862b376e9a856592a8f33"
    static let peer = Endpoint(.v4(0x0808_0808), port: 4222)
    static let candidate = "Hc0a80101 1 UDP 2130706431 192.0.2.1 45142 typ host"

    /// A connectivity check with everything ICE puts into one.
    static let check: [UInt8] = {
        var builder = MessageBuilder(.request, .binding, TransactionID(high: 1, low: 2))
        builder.add(.username("06674ce7:1153438d"))
        builder.add(.priority(1_862_270_975))
        builder.add(.iceControlling(0x7D91_0CE6_1E10_1040))
        builder.add(.software("Swiftlet"))
        builder.addIntegrity(IntegrityKey(shortTerm: password))
        return builder.finishedWithFingerprint()
    }()

    /// A packet of 20 ms of audio.
    static let audio = RTPPacket(
        header: RTPHeader(payloadType: 104, sequence: .init(rawValue: 7), timestamp: 960, source: 1),
        payload: Array(repeating: 0x5A, count: 80)
    ).bytes

    // Requests, a reply with eight nodes, and a value, as OpenDHT writes them.
    static let ping = hex(
        "85a16181a26964c414594ee73fa37b76ad2d7251a75c23dd2a3caf7b9ba171a470696e67a174cd03eaa179a171"
            + "a176a26f32")
    static let get = hex(
        "85a16182a26964c414594ee73fa37b76ad2d7251a75c23dd2a3caf7b9ba168c414119aaccfbc8b42df7af0680b"
            + "939d76bd07b318a6a171a3676574a174cd03f0a179a171a176a26f32")
    static let reply = hex(
        "84a17284a26964c4149f9af3c8ee529c70102d10bc52470d744eaf5079a27361c4047f000001a26e34c4d015df"
            + "db132388a907dfa66a21e3af1034267f63a67f00000182fe1e26a8f597da3ac28aacbc25b0544a9871e6816c7f"
            + "000001b89c0a83a71b71591689dfa5dabd1d6096ae49dc946d7f000001d75450bddf991fa889205236c52305b9"
            + "f59aaecc00f37f0000018e425d5495a7a37d40c186f8a13b7985d0483155b5db7f000001a7b746cdd38685a664"
            + "884a57a345e9a2f661bfd169d67f0000019ebe4b96ab1ec90d4c4f3ec830caf26fadddbef69c987f000001aefb"
            + "d1bca2e067ccd3d86f08a22c94d8c6d417e75c6a7f000001cf50a5746f6b656ec420994e5c4d89e5c076e2d508"
            + "0db784ce41def670d785ee29c2407be2f22f892f66a174cd03eca179a172a176a4524e4731")
    static let value = hex(
        "82a26964cf1122334455667788a364617481a4626f647982a47479706503a464617461c44486a269642aa36d73"
            + "67a568656c6c6fa464617465ce6553f100a673746174757300a86461746174797065aa746578742f706c61696e"
            + "a96d657461646174617381a16ba176")

    static let invite: [UInt8] = {
        let body = lines([
            "v=0", "o=- 3973000000 0 IN IP4 192.0.2.1", "s=Call ID 1", "c=IN IP4 192.0.2.1", "t=0 0",
            "a=ice-ufrag:06674ce7", "a=ice-pwd:\(password)", "m=audio 45142 RTP/SAVP 104 9 8 0 101",
            "a=rtpmap:104 opus/48000/2", "a=rtpmap:9 G722/8000", "a=rtpmap:101 telephone-event/8000",
            "a=fmtp:101 0-16", "a=candidate:\(candidate)", "a=sendrecv",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
        ])
        let head = lines([
            "INVITE sip:bob@192.0.2.2:4002;transport=tls SIP/2.0",
            "Via: SIP/2.0/TLS 192.0.2.1:4001;branch=z9hG4bKPj8d0b6a4e;alias", "Max-Forwards: 70",
            "From: \"alice\" <sip:d075d962cb40b898b0d109754dd1049bc0893a8b@192.0.2.1>;tag=1d5a",
            "To: <sip:119aaccfbc8b42df7af0680b939d76bd07b318a6@192.0.2.2>",
            "Contact: <sip:alice@192.0.2.1:4001;transport=tls>", "Call-ID: 8d0b6a4e-7b9b", "CSeq: 20411 INVITE",
            "Allow: INVITE, ACK, BYE, CANCEL, UPDATE, INFO, OPTIONS, MESSAGE", "Subject: Phone call",
            "User-Agent: Jami Daemon 13.7.0 (Linux)", "Content-Type: application/sdp",
            "Content-Length: \(body.utf8.count)", "",
        ])
        return Array((head + body).utf8)
    }()

    private static func lines(_ lines: [String]) -> String { lines.map { $0 + "\r\n" }.joined() }

    private static func hex(_ digits: String) -> [UInt8] { Hexadecimal.decode(digits) ?? [] }
}
