/// Media control as Jami peers send it within a call (`INFO`, after RFC 5168).
///
/// The bodies look like XML and are not: peers search them for words, and so does this reader.
public struct MediaControl: Hashable, Sendable {
    /// What is asked or told.
    public enum Primitive: Hashable, Sendable {
        /// A whole picture is needed at once. Peers expect at most one request a second.
        case fastUpdate
        /// The sender turned its device: minus the rotation, -180 to 180 degrees.
        case orientation(degrees: Int)
        /// The sender records, or stopped.
        case recording(Bool)
        /// The sender muted its sound, or ended that.
        case muted(Bool)
        /// The sender speaks, or fell silent.
        case voiceActivity(Bool)
    }

    /// What is asked or told.
    public var primitive: Primitive
    /// The media line it concerns, from 0; `nil` for every video.
    public var stream: Int?

    /// The type of the bodies.
    public static let contentType = "application/media_control+xml"

    /// The largest body that is read, in octets.
    public static let maximumSize = 4_096

    /// Makes a statement.
    public init(_ primitive: Primitive, stream: Int? = nil) {
        self.primitive = primitive
        self.stream = stream
    }

    /// Reads a body; `nil` if it is of another type or says nothing we know.
    public init?(_ body: Body) {
        guard let type = try? ContentType(body.contentType), type.mediaType == Self.contentType,
            body.bytes.count <= Self.maximumSize
        else { return nil }
        let text = body.bytes[...]
        if text.follows("picture_fast_update") != nil {
            primitive = .fastUpdate
        } else if let degrees = text.number(after: "device_orientation="), (-180...180).contains(degrees) {
            primitive = .orientation(degrees: degrees)
        } else if let state = text.flag(after: "recording_state=") {
            primitive = .recording(state)
        } else if let state = text.flag(after: "mute_state=") {
            primitive = .muted(state)
        } else if let state = text.flag(after: "voice_activity=") {
            primitive = .voiceActivity(state)
        } else {
            return nil
        }
        stream = text.number(after: "<stream_id>").flatMap { (0...255).contains($0) ? $0 : nil }
    }

    /// The body, to the byte as stock peers write it.
    public var body: Body {
        let stream = stream.map { " <stream_id>\($0)</stream_id>" } ?? ""
        let text =
            "<?xml version=\"1.0\" encoding=\"utf-8\" ?><media_control><vc_primitive>\(stream)"
            + "<to_encoder><\(element)/></to_encoder></vc_primitive></media_control>"
        return Body(contentType: Self.contentType, bytes: Array(text.utf8))
    }

    private var element: String {
        switch primitive {
        case .fastUpdate: "picture_fast_update"
        case .orientation(let degrees): "device_orientation=\(degrees)"
        case .recording(let state): "recording_state=\(state ? 1 : 0)"
        case .muted(let state): "mute_state=\(state ? 1 : 0)"
        case .voiceActivity(let state): "voice_activity=\(state ? 1 : 0)"
        }
    }
}

extension ArraySlice<UInt8> {
    /// What stands after the first occurrence of a word.
    fileprivate func follows(_ word: String) -> ArraySlice<UInt8>? {
        let pattern = Array(word.utf8)
        guard count >= pattern.count else { return nil }
        for start in startIndex...(endIndex - pattern.count) where self[start...].starts(with: pattern) {
            return self[(start + pattern.count)...]
        }
        return nil
    }

    /// The decimal number after the first occurrence of a word.
    fileprivate func number(after word: String) -> Int? {
        guard let rest = follows(word) else { return nil }
        let isNegative = rest.first == UInt8(ascii: "-")
        let digits = rest.dropFirst(isNegative ? 1 : 0).prefix(while: ASCII.isDigit)
        guard (1...9).contains(digits.count), let value = Int(String(decoding: digits, as: UTF8.self)) else {
            return nil
        }
        return isNegative ? -value : value
    }

    fileprivate func flag(after word: String) -> Bool? {
        switch number(after: word) {
        case 0: false
        case 1: true
        default: nil
        }
    }
}
