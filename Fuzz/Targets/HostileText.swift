import SansIO

/// Changes that a fuzzer makes to texts of lines, such as SIP and SDP.
extension Choices {
    /// The text with up to four of its lines changed; most often none is.
    mutating func changed(_ text: [UInt8]) -> [UInt8] {
        let shape = byte()
        guard shape >= 96 else { return text }
        var lines = text.lines
        for _ in 0...(shape & 3) { change(&lines) }
        return Array(lines.joined(separator: lineEnd))
    }

    private mutating func change(_ lines: inout [[UInt8]]) {
        guard !lines.isEmpty else { return }
        let index = Int(byte()) % lines.count
        let line = lines[index]
        switch byte() % 8 {
        case 0: lines.remove(at: index)
        case 1: lines.insert(line, at: index)
        case 2: lines[index] = line.name + Array((element(of: hostileValues) ?? "").utf8)
        case 3: lines[index] = Array(line.prefix(Int(byte())))
        case 4: lines[index].insert(contentsOf: bytes(), at: Int(byte()) % (line.count + 1))
        case 5: if !line.isEmpty { lines[index][Int(byte()) % line.count] ^= 1 << (byte() % 8) }
        case 6: lines.insert(contentsOf: repeatElement(line, count: Int(byte())), at: index)
        default: lines.insert(Array((element(of: hostileLines) ?? "").utf8), at: index)
        }
    }
}

private let lineEnd: [UInt8] = [13, 10]

extension [UInt8] {
    fileprivate var lines: [[UInt8]] {
        var (lines, start) = ([[UInt8]](), 0)
        for index in indices.dropLast() where self[index] == 13 && self[index + 1] == 10 {
            lines.append(Array(self[start..<index]))
            start = index + 2
        }
        return lines + [Array(self[start...])]
    }

    /// A line up to its colon or equals sign.
    fileprivate var name: [UInt8] {
        firstIndex { $0 == 58 || $0 == 61 }.map { Array(self[...$0]) } ?? []
    }
}

/// What field values are replaced by.
private let hostileValues = [
    "", " ", "0", "-1", "1", "65536", "4294967296", "99999999999999999999999", "+5", "0x10", "1e9", "\u{0}", "\u{7F}",
    ";;;===,,,", "\"", "\"\\\"", "<", "<>", "<sip:>", "<sip:@:0>;tag=", "sip:%00@[::1]:99999", "*", ";tag=", "z9hG4bK",
    "SIP/2.0/TLS [::1]:65536;branch=z9hG4bK;rport=-1;received=::", "1 INVITE", "4294967295 BYE", "2147483648 ACK",
    "audio 0 RTP/SAVP 104", "audio 65535/255 RTP/SAVP 104 104 104", "0 0 RTP/AVP", "104 opus/0/0", "104 opus/48000/255",
    "crypto:1 AES_CM_128_HMAC_SHA1_80 inline:", "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA|2^20|1:4", "IN IP6 ::",
    "IN IP4 0.0.0.0",
    "H1 1 UDP 4294967295 0.0.0.0 0 typ host", "H1 256 TCP 1 ::1 9 typ host tcptype active", "application/sdp;boundary",
    "x-ring/ring.profile.vcard;id=1,part=2048,of=2048", "multipart/mixed; boundary=", "70;70", "100rel,timer,replaces",
    String(repeating: "A", count: 300), String(repeating: "é", count: 3_000), String(repeating: ",", count: 600),
]

/// Lines that are put in between.
private let hostileLines = [
    "", " folded", "v=0", "a=ice-lite", "a=rtcp-mux", "a=sendonly", "a=recvonly", "a=inactive", "a=sendrecv",
    "a=ice-ufrag:x", "a=ice-pwd:x", "a=ice-ufrag:peer0009", "a=end-of-candidates", "a=group:BUNDLE 0 1", "a=mid:0",
    "m=audio 9 RTP/SAVP 104", "m=video 9 RTP/SAVP 96", "m=audio 0 RTP/SAVP 104", "m=application 9 UDP 0", "b=AS:0",
    "a=candidate:H1 1 UDP 1 10.0.0.2 0 typ host", "a=candidate:H1 1 TCP 1 10.0.0.2 9 typ host tcptype active",
    "a=candidate:S1 2 UDP 1 10.0.0.1 1 typ srflx raddr 10.0.0.1 rport 1", "a=remote-candidates:1 10.0.0.2 1",
    "a=crypto:1 AES_CM_256_HMAC_SHA1_80 inline:Lv98XYGPV9r8t73hREtgCOislKe2tigTA2wbqEmA", "a=setup:actpass",
    "Content-Length: 4294967295", "Content-Length: -1", "l: 0", "Require: 100rel", "Contact: *", "Via: SIP/2.0/UDP x",
    "CSeq: 1 INVITE", "To: <sip:x>;tag=1", "Call-ID: other", "Expires: 0", "Session-Expires: 1", "Max-Forwards: 0",
    "Content-Encoding: gzip", "Content-Type: application/sdp", "Proxy-Require: x", "Replaces: a;to-tag=b;from-tag=c",
]
