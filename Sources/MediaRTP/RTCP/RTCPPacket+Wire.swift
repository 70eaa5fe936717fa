internal import SansIO

extension RTCPPacket {
    private enum Kind {
        static let senderReport: UInt8 = 200
        static let receiverReport: UInt8 = 201
        static let description: UInt8 = 202
        static let goodbye: UInt8 = 203
    }

    /// Reads the next packet; offsets of errors count from its first byte.
    static func read(from reader: inout ByteReader) throws(WireError) -> RTCPPacket {
        guard reader.remaining >= 4 else { throw .truncated(at: reader.remaining) }
        let first: UInt8 = try reader.read()
        guard first >> 6 == 2 else { throw .malformed(.rtcpVersion, at: 0) }
        let type: UInt8 = try reader.read()
        let words: UInt16 = try reader.read()
        guard reader.remaining >= 4 * Int(words) else { throw .truncated(at: 4 + reader.remaining) }
        var body = ByteReader(try reader.take(4 * Int(words)))
        if first & 0x20 != 0 {
            // Padding is legal in the last packet only (RFC 3550 §6.4.1).
            guard reader.isAtEnd else { throw .malformed(.rtcpPadding, at: 0) }
            let whole = body.takeRest()
            guard !whole.isEmpty, case let padding = Int(whole[whole.count - 1]), padding > 0,
                padding.isMultiple(of: 4), padding <= whole.count
            else { throw .malformed(.rtcpPadding, at: 3 + whole.count) }
            body = ByteReader(whole.extracting(0..<whole.count - padding))
        }
        return try read(type: type, count: Int(first & 0x1F), from: &body)
    }

    private static func read(type: UInt8, count: Int, from body: inout ByteReader) throws(WireError) -> RTCPPacket {
        switch type {
        case Kind.senderReport:
            var report = SenderReport(
                source: try body.read(), time: NTPTimestamp(rawValue: try body.read()), timestamp: try body.read(),
                packetCount: try body.read(), octetCount: try body.read())
            for _ in 0..<count { report.blocks.append(try ReportBlock(from: &body)) }
            report.profileExtension = [UInt8](body.takeRest())
            return .senderReport(report)
        case Kind.receiverReport:
            var report = ReceiverReport(source: try body.read())
            for _ in 0..<count { report.blocks.append(try ReportBlock(from: &body)) }
            report.profileExtension = [UInt8](body.takeRest())
            return .receiverReport(report)
        case Kind.description:
            var chunks: [SourceDescription] = []
            for _ in 0..<count { chunks.append(try SourceDescription(from: &body)) }
            return .description(chunks)
        case Kind.goodbye:
            var goodbye = Goodbye(sources: [])
            for _ in 0..<count { goodbye.sources.append(try body.read()) }
            if !body.isAtEnd { goodbye.reason = try body.readBytes(Int(try body.read(UInt8.self))) }
            return .goodbye(goodbye)
        default:
            return .other(Other(type: type, format: UInt8(count), body: [UInt8](body.takeRest())))
        }
    }

    /// Appends the packet.
    func write(to writer: inout ByteWriter) {
        let start = writer.count
        writer.write(UInt32(0))
        let (type, count) = writeBody(to: &writer)
        let rest = (writer.count - start) % 4
        if rest > 0 { writer.write(repeating: 0, count: 4 - rest) }
        let words = (writer.count - start) / 4 - 1
        precondition(count <= 31 && words <= 0xFFFF, "an RTCP packet holds at most 31 entries and 65536 words")
        writer.overwrite(0x80 | UInt8(count), at: start)
        writer.overwrite(type, at: start + 1)
        writer.overwrite(UInt16(words), at: start + 2)
    }

    private func writeBody(to writer: inout ByteWriter) -> (type: UInt8, count: Int) {
        switch self {
        case .senderReport(let report):
            writer.write(report.source)
            writer.write(report.time.rawValue)
            writer.write(report.timestamp)
            writer.write(report.packetCount)
            writer.write(report.octetCount)
            for block in report.blocks { block.write(to: &writer) }
            writer.write(report.profileExtension)
            return (Kind.senderReport, report.blocks.count)
        case .receiverReport(let report):
            writer.write(report.source)
            for block in report.blocks { block.write(to: &writer) }
            writer.write(report.profileExtension)
            return (Kind.receiverReport, report.blocks.count)
        case .description(let chunks):
            for chunk in chunks { chunk.write(to: &writer) }
            return (Kind.description, chunks.count)
        case .goodbye(let goodbye):
            for source in goodbye.sources { writer.write(source) }
            if let reason = goodbye.reason?.prefix(255) {
                writer.write(UInt8(reason.count))
                writer.write(reason)
            }
            return (Kind.goodbye, goodbye.sources.count)
        case .other(let other):
            writer.write(other.body)
            return (other.type, Int(other.format & 0x1F))
        }
    }
}

extension RTCPPacket.ReportBlock {
    /// Reads the 24 bytes of a block.
    init(from reader: inout ByteReader) throws(WireError) {
        source = try reader.read()
        let losses: UInt32 = try reader.read()
        fractionLost = UInt8(losses >> 24)
        cumulativeLost = Int32(bitPattern: losses << 8) >> 8
        highestSequence = try reader.read()
        jitter = try reader.read()
        lastSenderReport = try reader.read()
        delaySinceLastSenderReport = try reader.read()
    }

    /// Appends the 24 bytes of a block.
    func write(to writer: inout ByteWriter) {
        let clamped = min(max(cumulativeLost, -0x80_0000), 0x7F_FFFF)
        writer.write(source)
        writer.write(UInt32(fractionLost) << 24 | UInt32(bitPattern: clamped) & 0xFF_FFFF)
        writer.write(highestSequence)
        writer.write(jitter)
        writer.write(lastSenderReport)
        writer.write(delaySinceLastSenderReport)
    }
}

extension RTCPPacket.SourceDescription {
    /// Reads one chunk with the zeros that end it at a word boundary.
    init(from reader: inout ByteReader) throws(WireError) {
        source = try reader.read()
        items = []
        while true {
            let type: UInt8 = try reader.read()
            guard type != 0 else { break }
            items.append(Item(type: type, text: try reader.readBytes(Int(try reader.read(UInt8.self)))))
        }
        try reader.skip((4 - reader.offset % 4) % 4)
    }

    /// Appends one chunk, ended by one to four zeros.
    func write(to writer: inout ByteWriter) {
        let start = writer.count
        writer.write(source)
        for item in items where item.type != 0 {
            let text = item.text.prefix(255)
            writer.write(item.type)
            writer.write(UInt8(text.count))
            writer.write(text)
        }
        writer.write(repeating: 0, count: 4 - (writer.count - start) % 4)
    }
}

extension WireError.Field {
    static let rtcpVersion: Self = "RTCP version"
    static let rtcpPadding: Self = "RTCP padding"
}
