/// One media line of a session description, and what belongs to it.
public struct MediaDescription: Hashable, Sendable {
    /// What kind of media flows.
    public struct Kind: RawRepresentable, Hashable, Sendable {
        /// The word on the line.
        public let rawValue: String

        /// Names a kind.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// Sound.
        public static let audio = Kind(rawValue: "audio")
        /// Pictures.
        public static let video = Kind(rawValue: "video")
    }

    /// What the packets look like.
    public struct Profile: RawRepresentable, Hashable, Sendable {
        /// The words on the line.
        public let rawValue: String

        /// Names a profile.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// RTP in clear.
        public static let plain = Profile(rawValue: "RTP/AVP")
        /// SRTP, the only profile of Jami calls.
        public static let secure = Profile(rawValue: "RTP/SAVP")

        /// Whether formats are RTP payload types.
        public var isRTP: Bool { rawValue.contains("RTP/") }
    }

    /// The kind of media.
    public var kind: Kind
    /// The port; 0 for a medium that is switched off or refused. Without meaning once ICE chose a path.
    public var port: UInt16
    /// How many ports follow one another; 1 as a rule.
    public var portCount: Int
    /// The profile.
    public var profile: Profile
    /// The formats in order of preference, for RTP payload types in decimal.
    public var formats: [String]
    /// The medium's own address, where it differs from the session's.
    public var connection: SessionDescription.Connection?
    /// Lines of other types (`i b k`).
    public var others: [SessionDescription.Line]
    /// The medium's attributes.
    public var attributes: AttributeList

    /// Makes a media line.
    public init(
        kind: Kind, port: UInt16, portCount: Int = 1, profile: Profile = .secure, formats: [String],
        connection: SessionDescription.Connection? = nil, others: [SessionDescription.Line] = [],
        attributes: AttributeList = AttributeList()
    ) {
        self.kind = kind
        self.port = port
        self.portCount = portCount
        self.profile = profile
        self.formats = formats
        self.connection = connection
        self.others = others
        self.attributes = attributes
    }

    /// Whether the medium takes part.
    public var isActive: Bool { port != 0 }

    /// The values of the candidate lines, in order, unread: ICE understands them.
    public var candidates: [String] { attributes.values("candidate") }

    /// The usable keys offered, in order. What cannot be used is left out (RFC 4568 §7).
    public var keys: [KeyAttribute] { attributes.values("crypto").compactMap(KeyAttribute.init) }

    /// The formats as codecs in order of preference; formats without a known meaning are left out.
    public var codecs: [Codec] {
        let maps = attributes.values("rtpmap").compactMap(Codec.init(map:))
        let parameters = attributes.values("fmtp").map { $0.split(separator: " ", maxSplits: 1) }
        return formats.compactMap { format in
            guard let number = UInt8(format), number < 128 else { return nil }
            guard var codec = maps.first(where: { $0.payloadType == number }) ?? Codec(staticType: number) else {
                return nil
            }
            codec.parameters = parameters.first { $0.count == 2 && $0[0] == format }.map { String($0[1]) }
            return codec
        }
    }
}
