public import SansIO

extension SessionDescription {
    /// "Version 1", which old peers use for UDP: `1`, `[fragment, password]`, the number of components, and for each
    /// component an array of candidate lines; four or more objects in a row, without an array around them.
    public func version1(components: Int = 1) -> [UInt8] {
        let components = min(max(components, 1), 256)
        var writer = MessagePackWriter(capacity: 256)
        writer.write(1)
        writer.writeArrayHeader(2)
        writer.write(credentials.fragment)
        writer.write(credentials.password)
        writer.write(components)
        for component in 1...components {
            let lines = candidates.filter { $0.component == component }.map(\.jamiLine)
            writer.writeArrayHeader(lines.count)
            for line in lines { writer.write(line) }
        }
        return writer.bytes
    }

    /// "Version 2", which old peers use for TCP: the array `[fragment, password, [candidate lines]]`.
    public var version2: [UInt8] {
        var writer = MessagePackWriter(capacity: 256)
        writer.writeArrayHeader(3)
        writer.write(credentials.fragment)
        writer.write(credentials.password)
        writer.writeArrayHeader(candidates.count)
        for candidate in candidates { writer.write(candidate.jamiLine) }
        return writer.bytes
    }
}

/// The sessions one side of a legacy call offers, both in one blob.
public struct SessionOffer: Hashable, Sendable {
    /// The session over UDP.
    public var udp: SessionDescription?
    /// The session over TCP.
    public var tcp: SessionDescription?

    /// The most messages read from one blob.
    public static let messageLimit = 8

    /// Joins two sessions.
    public init(udp: SessionDescription?, tcp: SessionDescription?) {
        self.udp = udp
        self.tcp = tcp
    }

    /// Reads messages of version 1 and 2 in any order, back to back; or, as a last resort, the plain text form.
    ///
    /// A message whose first line contains `TCP` is the TCP session's whatever its version; of two for one session the
    /// first counts.
    public init(_ bytes: Span<UInt8>) throws(WireError) {
        guard bytes.count <= SessionDescription.lengthLimit else {
            throw .overLimit(.sessionText, limit: SessionDescription.lengthLimit)
        }
        self.init(udp: nil, tcp: nil)
        var (reader, messages) = (MessagePackReader(bytes), 0)
        while !reader.isAtEnd {
            guard messages < Self.messageLimit else { throw .overLimit("ICE messages", limit: Self.messageLimit) }
            messages += 1
            switch try reader.peek() {
            case .array: keep(try Self.readVersion2(&reader))
            case .integer where bytes[reader.offset] == 1: keep(try Self.readVersion1(&reader))
            default: try keepText(bytes, at: reader.offset); return
            }
        }
        guard udp != nil || tcp != nil else { throw .truncated(at: 0) }
    }

    /// Reads a blob from an array.
    public init(decoding bytes: [UInt8]) throws(WireError) { try self.init(bytes.span) }

    /// The blob: version 1 for UDP, then version 2 for TCP.
    public var bytes: [UInt8] { (udp?.version1() ?? []) + (tcp?.version2 ?? []) }

    private mutating func keep(_ lines: Lines) {
        let session = SessionDescription(credentials: lines.credentials, lines: lines.lines)
        if lines.lines.first?.contains("TCP") == true {
            tcp = tcp ?? session
        } else {
            udp = udp ?? session
        }
    }

    private mutating func keepText(_ bytes: Span<UInt8>, at offset: Int) throws(WireError) {
        guard offset == 0, let text = String(validating: [UInt8](bytes), as: UTF8.self) else {
            throw .malformed(.sessionText, at: offset)
        }
        let session = try SessionDescription(text: text)
        if session.candidates.first?.transport.isTCP == true { tcp = session } else { udp = session }
    }

    /// A message before its lines are understood.
    private struct Lines {
        let credentials: Credentials
        let lines: [String]
    }

    @_lifetime(reader: copy reader)
    private static func readVersion1(_ reader: inout MessagePackReader) throws(WireError) -> Lines {
        _ = try reader.readInteger(UInt8.self)
        let start = reader.offset
        guard try reader.readArrayHeader() == 2 else { throw .malformed(.credentials, at: start) }
        let credentials = try readCredentials(&reader)
        let components: UInt16 = try reader.readInteger()
        guard components <= 256 else { throw .overLimit("components", limit: 256) }
        var lines: [String] = []
        for _ in 0..<components { lines += try readLines(&reader) }
        return Lines(credentials: credentials, lines: lines)
    }

    @_lifetime(reader: copy reader)
    private static func readVersion2(_ reader: inout MessagePackReader) throws(WireError) -> Lines {
        let start = reader.offset
        guard try reader.readArrayHeader() == 3 else { throw .malformed(.sessionText, at: start) }
        return Lines(credentials: try readCredentials(&reader), lines: try readLines(&reader))
    }

    @_lifetime(reader: copy reader)
    private static func readCredentials(_ reader: inout MessagePackReader) throws(WireError) -> Credentials {
        let start = reader.offset
        let (fragment, password) = (try reader.readString(), try reader.readString())
        guard let credentials = Credentials(fragment: fragment, password: password) else {
            throw .malformed(.credentials, at: start)
        }
        return credentials
    }

    @_lifetime(reader: copy reader)
    private static func readLines(_ reader: inout MessagePackReader) throws(WireError) -> [String] {
        let count = try reader.readArrayHeader()
        guard count <= SessionDescription.lineLimit else {
            throw .overLimit(.candidateLine, limit: SessionDescription.lineLimit)
        }
        var lines: [String] = []
        for _ in 0..<count { lines.append(try reader.readString()) }
        return lines
    }
}
