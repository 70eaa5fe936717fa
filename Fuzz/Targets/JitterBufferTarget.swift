import MediaRTP
import SansIO

extension FuzzTarget {
    /// A jitter buffer between a wild sender and a patient player.
    static let jitterBuffer = FuzzTarget(name: "jitter-buffer") { bytes throws(Finding) in
        var choices = Choices(bytes)
        var buffer = JitterBuffer()
        let configuration = JitterBuffer.Configuration()
        var (now, inserted, played) = (Instant.zero, UInt16(0), Set<[UInt8]>())
        for _ in 0..<2_048 where !choices.isAtEnd {
            let shape = choices.byte()
            if shape & 1 == 0 {
                inserted += 1
                // The payload is the packet's number, short as a pause's or longer.
                let payload = [UInt8(inserted >> 8), UInt8(inserted & 255)] + (shape & 2 == 0 ? [0, 0] : [])
                let sequence = shape & 4 == 0 ? inserted : choices.word()
                let timestamp = shape & 8 == 0 ? UInt32(sequence) &* 960 : UInt32(choices.word()) << 16
                _ = buffer.insert(
                    payload, sequence: SequenceNumber(rawValue: sequence), timestamp: timestamp,
                    source: UInt32(shape >> 6), sampleCount: shape & 16 == 0 ? 960 : Int(choices.word()), at: now)
            } else if case .decode(let packet, _) = buffer.next(at: now, decoded: Int(shape) << 4) {
                try require(played.insert(packet.payload).inserted, "no packet is handed out twice")
                try require((1...configuration.clockRate).contains(packet.sampleCount), "packets last a while")
            }
            try require(buffer.count <= configuration.capacity, "the buffer stays within its capacity")
            let target = buffer.targetDelay
            try require(
                configuration.minimumDelay <= target && target <= configuration.maximumDelay,
                "the delay stays within its limits, not \(target)")
            if shape & 32 != 0 { now = now.advanced(by: choices.duration()) }
        }
    }
}
