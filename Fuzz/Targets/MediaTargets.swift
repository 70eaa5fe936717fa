import MediaRTP
import SansIO

extension FuzzTarget {
    /// RTP packets in the clear; only the content of padding is not kept.
    static let rtp = FuzzTarget(name: "rtp") { bytes throws(Finding) in
        guard let packet = try? RTPPacket(decoding: bytes) else { return }
        try require(packet.bytes.count == bytes.count, "the length survives")
        try require((try? RTPPacket(decoding: packet.bytes)) == packet, "\(packet) survives")
        _ = OpusDecoder.sampleCount(in: packet.payload)
    }

    /// RTCP datagrams, and a session that takes their reports.
    static let rtcp = FuzzTarget(name: "rtcp") { bytes throws(Finding) in
        guard let datagram = try? RTCPDatagram(decoding: bytes) else { return }
        let written = RTCPDatagram(datagram.packets)
        let again = try? RTCPDatagram(decoding: written.bytes)
        try require(again == written, "\(written) survives, not as \(String(describing: again))")
        var session = RTPSession(
            configuration: .init(
                payloadType: 96, clockRate: 48_000, canonicalName: "fuzz", wallClock: WallClock(epochOffset: 0)),
            random: .seeded(1))
        session.receive(datagram, at: .zero)
        _ = session.roundTrip
    }
}
