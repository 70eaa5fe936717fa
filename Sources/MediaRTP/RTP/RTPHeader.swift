public import SansIO

/// The header of an RTP packet (RFC 3550 §5.1).
public struct RTPHeader: Hashable, Sendable {
    /// The header extension of RFC 3550 §5.3.1, kept verbatim.
    public struct Extension: Hashable, Sendable {
        /// What the profile says the first 16 bits mean; 0xBEDE for the one-byte form of RFC 8285.
        public var profile: UInt16
        /// The extension's data, a multiple of four bytes.
        public var data: [UInt8]

        /// Creates an extension; `data` is filled up with zeros to a multiple of four bytes.
        public init(profile: UInt16, data: [UInt8]) {
            self.profile = profile
            self.data = data + [UInt8](repeating: 0, count: (4 - data.count % 4) % 4)
        }
    }

    /// The length of a header without contributors and extension, in bytes.
    public static let minimumLength = 12

    /// Whether this packet begins a talk spurt (audio) or ends a frame (video).
    public var marker: Bool
    /// The negotiated payload format, 0...127.
    public var payloadType: UInt8
    /// The packet's number.
    public var sequence: SequenceNumber
    /// When the first sample was taken, in units of the payload's clock.
    public var timestamp: UInt32
    /// The synchronisation source (SSRC).
    public var source: UInt32
    /// The contributing sources of a mixed packet, at most 15.
    public var contributors: [UInt32]
    /// The header extension, if there is one.
    public var `extension`: Extension?

    /// Creates a header.
    public init(
        marker: Bool = false, payloadType: UInt8, sequence: SequenceNumber, timestamp: UInt32, source: UInt32,
        contributors: [UInt32] = [], extension: Extension? = nil
    ) {
        self.marker = marker
        self.payloadType = payloadType
        self.sequence = sequence
        self.timestamp = timestamp
        self.source = source
        self.contributors = contributors
        self.extension = `extension`
    }

    /// Reads a header and tells whether padding follows the payload.
    static func read(from reader: inout ByteReader) throws(WireError) -> (header: RTPHeader, isPadded: Bool) {
        let first: UInt8 = try reader.read()
        guard first >> 6 == 2 else { throw .malformed(.rtpVersion, at: 0) }
        let second: UInt8 = try reader.read()
        var header = RTPHeader(
            marker: second & 0x80 != 0, payloadType: second & 0x7F,
            sequence: SequenceNumber(rawValue: try reader.read()),
            timestamp: try reader.read(), source: try reader.read())
        for _ in 0..<Int(first & 0x0F) { header.contributors.append(try reader.read()) }
        if first & 0x10 != 0 {
            let profile: UInt16 = try reader.read()
            let words: UInt16 = try reader.read()
            header.extension = Extension(profile: profile, data: try reader.readBytes(4 * Int(words)))
        }
        return (header, first & 0x20 != 0)
    }

    /// Appends the header.
    func write(to writer: inout ByteWriter, isPadded: Bool = false) {
        precondition(contributors.count <= 15, "an RTP header holds at most 15 contributors")
        let flags: UInt8 = (isPadded ? 0x20 : 0) | (`extension` == nil ? 0 : 0x10)
        writer.write(0x80 | flags | UInt8(contributors.count))
        writer.write((marker ? 0x80 : 0) | payloadType & 0x7F)
        writer.write(sequence.rawValue)
        writer.write(timestamp)
        writer.write(source)
        for contributor in contributors { writer.write(contributor) }
        if let `extension` {
            precondition(`extension`.data.count <= 4 * 0xFFFF, "an RTP header extension holds at most 65535 words")
            writer.write(`extension`.profile)
            writer.write(UInt16(`extension`.data.count / 4))
            writer.write(`extension`.data)
        }
    }
}

/// A whole RTP packet in the clear.
public struct RTPPacket: Hashable, Sendable {
    /// The header.
    public var header: RTPHeader
    /// The payload without padding.
    public var payload: [UInt8]
    /// How many bytes of padding follow the payload, 0...255.
    public var paddingCount: UInt8

    /// Creates a packet.
    public init(header: RTPHeader, payload: [UInt8], paddingCount: UInt8 = 0) {
        self.header = header
        self.payload = payload
        self.paddingCount = paddingCount
    }

    /// Reads a packet that fills `bytes`.
    public init(_ bytes: Span<UInt8>) throws(WireError) {
        var reader = ByteReader(bytes)
        let (header, isPadded) = try RTPHeader.read(from: &reader)
        self.header = header
        let offset = reader.offset
        payload = [UInt8](reader.takeRest())
        paddingCount = 0
        guard isPadded else { return }
        guard let count = payload.last, count > 0, Int(count) <= payload.count else {
            throw .malformed(.rtpPadding, at: offset + max(payload.count - 1, 0))
        }
        payload.removeLast(Int(count))
        paddingCount = count
    }

    /// Reads a packet from an array.
    public init(decoding bytes: [UInt8]) throws(WireError) { try self.init(bytes.span) }

    /// The packet as it is sent.
    public var bytes: [UInt8] {
        var writer = ByteWriter(capacity: RTPHeader.minimumLength + payload.count + Int(paddingCount))
        header.write(to: &writer, isPadded: paddingCount > 0)
        writer.write(payload)
        if paddingCount > 0 {
            writer.write(repeating: 0, count: Int(paddingCount) - 1)
            writer.write(paddingCount)
        }
        return writer.bytes
    }
}

extension WireError.Field {
    static let rtpVersion: Self = "RTP version"
    static let rtpPadding: Self = "RTP padding"
}
