/// The version of the Jami daemon a peer claims to be compatible with; it decides what may be asked of it.
public struct JamiVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The three numbers, the most significant first.
    public let numbers: [Int]

    /// Names a version.
    public init(_ major: Int, _ minor: Int, _ patch: Int) { numbers = [major, minor, patch] }

    /// Finds the version in a `User-Agent` text as peers do: after `Jami Daemon `, up to a hyphen or a blank.
    /// Numbers left out are 0; `nil` if there is none.
    public init?(userAgent: String) {
        let marker = Array("Jami Daemon ".utf8)
        let text = Array(userAgent.utf8)
        guard text.count >= marker.count,
            let start = (0...(text.count - marker.count)).first(where: { text[$0...].starts(with: marker) })
        else { return nil }
        let version = text[(start + marker.count)...].prefix { $0 != UInt8(ascii: "-") && $0 != ASCII.space }
        let parts = version.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let parsed = parts.compactMap { part in
            (1...6).contains(part.count) && part.allSatisfy(ASCII.isDigit)
                ? Int(String(decoding: part, as: UTF8.self)) : nil
        }
        guard (1...3).contains(parsed.count), parsed.count == parts.count else { return nil }
        numbers = parsed + Array(repeating: 0, count: 3 - parsed.count)
    }

    /// From this version on, calls may have more than one video stream.
    public static let severalStreams = JamiVersion(10, 0, 2)
    /// From this version on, a new offer may leave the transport as it is.
    public static let keepsTransport = JamiVersion(11, 0, 2)

    /// The version as text.
    public var description: String { numbers.map(String.init).joined(separator: ".") }

    /// Orders versions by age.
    public static func < (left: JamiVersion, right: JamiVersion) -> Bool {
        left.numbers.lexicographicallyPrecedes(right.numbers)
    }
}

extension UserAgent.PeerFacts {
    /// The version of the Jami daemon the peer claims to be compatible with, if it claims one.
    public var jamiVersion: JamiVersion? { JamiVersion(userAgent: userAgent) }
}
