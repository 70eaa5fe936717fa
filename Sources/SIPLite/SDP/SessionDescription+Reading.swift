public import SansIO

/// How much of a session description is accepted.
public struct DescriptionLimits: Hashable, Sendable {
    /// The whole text, in octets.
    public var size = 65_536
    /// The number of media lines.
    public var media = 32
    /// The number of attributes of the session and of each medium.
    public var attributes = 256
    /// The number of formats of a medium.
    public var formats = 64
    /// The number of other lines of the session and of each medium.
    public var others = 64

    /// Creates the default limits.
    public init() {}
}

extension SessionDescription {
    /// Reads a description, tolerating lone line feeds, a missing last line end, unknown lines, and missing `s=` and
    /// `t=`. What must be there: `v=0`, `o=`, and an address for every active medium.
    public init(decoding bytes: [UInt8], limits: DescriptionLimits = DescriptionLimits()) throws(WireError) {
        guard bytes.count <= limits.size else { throw .overLimit(.description, limit: limits.size) }
        if let nul = bytes.firstIndex(of: 0) { throw .malformed(.description, at: nul) }
        var reader = DescriptionReader(limits: limits)
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: ASCII.lineFeed) ?? bytes.count
            var line = bytes[start..<end]
            if line.last == ASCII.carriageReturn { line.removeLast() }
            if let lone = line.firstIndex(of: ASCII.carriageReturn) { throw .malformed(.description, at: lone) }
            if !line.isEmpty { try reader.take(line) }
            start = end + 1
        }
        self = try reader.finish(at: bytes.count)
    }
}

/// Collects the lines of a description.
private struct DescriptionReader {
    let limits: DescriptionLimits
    var sawVersion = false
    var origin: SessionDescription.Origin?
    var name = "-"
    var connection: SessionDescription.Connection?
    var timing: String?
    var others: [SessionDescription.Line] = []
    var attributes = AttributeList()
    var media: [MediaDescription] = []

    init(limits: DescriptionLimits) { self.limits = limits }

    mutating func take(_ line: ArraySlice<UInt8>) throws(WireError) {
        let start = line.startIndex
        guard line.count >= 2, line[start + 1] == UInt8(ascii: "=") else { return }
        let value = String(decoding: line[(start + 2)...], as: UTF8.self)
        guard sawVersion else {
            guard line[start] == UInt8(ascii: "v"), value == "0" else { throw .malformed(.version, at: start) }
            sawVersion = true
            return
        }
        switch line[start] {
        case UInt8(ascii: "o"): origin = try Self.origin(value, at: start)
        case UInt8(ascii: "s"): name = value
        case UInt8(ascii: "c"): try takeConnection(value, at: start)
        case UInt8(ascii: "t"): timing = timing ?? value
        case UInt8(ascii: "a"): try takeAttribute(value)
        case UInt8(ascii: "m"): try takeMedia(value, at: start)
        case UInt8(ascii: "a")...UInt8(ascii: "z"): try takeOther(Character(Unicode.Scalar(line[start])), value)
        default: return
        }
    }

    func finish(at end: Int) throws(WireError) -> SessionDescription {
        guard sawVersion else { throw .malformed(.version, at: 0) }
        guard let origin else { throw .malformed(.origin, at: end) }
        let description = SessionDescription(
            origin: origin, name: name, connection: connection, timing: timing ?? "0 0", others: others,
            attributes: attributes, media: media)
        for index in media.indices where media[index].isActive && description.connection(ofMedia: index) == nil {
            throw .malformed(.connection, at: end)
        }
        return description
    }

    private static func origin(_ value: String, at offset: Int) throws(WireError) -> SessionDescription.Origin {
        let words = value.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        guard words.count == 6, words[1].utf8.allSatisfy(ASCII.isDigit), words[2].utf8.allSatisfy(ASCII.isDigit),
            let version = UInt64(words[2]), words[3] == "IN"
        else { throw .malformed(.origin, at: offset) }
        let address = SessionDescription.Connection(family: words[4], text: words[5])
        return SessionDescription.Origin(
            username: words[0], sessionID: words[1], version: version, address: address)
    }

    private mutating func takeConnection(_ value: String, at offset: Int) throws(WireError) {
        let words = value.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        guard words.count == 3, words[0] == "IN" else { throw .malformed(.connection, at: offset) }
        let parsed = SessionDescription.Connection(family: words[1], text: words[2])
        if media.isEmpty {
            connection = connection ?? parsed
        } else if media[media.count - 1].connection == nil {
            media[media.count - 1].connection = parsed
        }
    }

    private mutating func takeAttribute(_ value: String) throws(WireError) {
        let parts = value.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let attribute = Attribute(parts[0], parts.count == 2 ? parts[1] : nil)
        let count = media.last?.attributes.all.count ?? attributes.all.count
        guard count < limits.attributes else { throw .overLimit(.attributes, limit: limits.attributes) }
        if media.isEmpty {
            attributes.all.append(attribute)
        } else {
            media[media.count - 1].attributes.all.append(attribute)
        }
    }

    private mutating func takeOther(_ type: Character, _ value: String) throws(WireError) {
        let line = SessionDescription.Line(type: type, value: value)
        let count = media.last?.others.count ?? others.count
        guard count < limits.others else { throw .overLimit(.description, limit: limits.others) }
        guard "iuepbrzk".contains(type) else { return }
        if media.isEmpty {
            others.append(line)
        } else {
            media[media.count - 1].others.append(line)
        }
    }

    private mutating func takeMedia(_ value: String, at offset: Int) throws(WireError) {
        guard media.count < limits.media else { throw .overLimit(.media, limit: limits.media) }
        let words = value.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        guard words.count >= 4 else { throw .malformed(.media, at: offset) }
        let formats = Array(words[3...])
        guard formats.count <= limits.formats else { throw .overLimit(.formats, limit: limits.formats) }
        let ports = words[1].split(separator: "/", omittingEmptySubsequences: false)
        guard ports.count <= 2, ports[0].utf8.allSatisfy(ASCII.isDigit), let port = UInt16(ports[0]),
            let count = ports.count == 2 ? UInt16(ports[1]) : 1
        else { throw .malformed(.media, at: offset) }
        let profile = MediaDescription.Profile(rawValue: words[2])
        if profile.isRTP {
            guard formats.allSatisfy({ UInt8($0).map { $0 < 128 } ?? false }) else {
                throw .malformed(.formats, at: offset)
            }
        }
        media.append(
            MediaDescription(
                kind: .init(rawValue: words[0]), port: port, portCount: Int(count), profile: profile, formats: formats))
    }
}

extension WireError.Field {
    static let description: Self = "session description"
    static let origin: Self = "origin"
    static let connection: Self = "connection"
    static let attributes: Self = "attributes"
    static let media: Self = "media"
    static let formats: Self = "formats"
}
