public import SansIO

/// A session description (RFC 8866) with attributes kept in order and verbatim.
public struct SessionDescription: Hashable, Sendable {
    /// Who made the description, and which edition it is (`o=`).
    public var origin: Origin
    /// The session's name (`s=`); Jami writes `Call ID <number>`.
    public var name: String
    /// The address of all media that give none of their own (`c=`).
    public var connection: Connection?
    /// When the session is active (`t=`); `0 0` for always.
    public var timing: String
    /// The session lines of other types (`i u e p b r z k`), which have no meaning for calls.
    public var others: [Line]
    /// The session's attributes.
    public var attributes: AttributeList
    /// The media lines. Their number and order never change within a call, except that lines are added at the end.
    public var media: [MediaDescription]

    /// Makes a description.
    public init(
        origin: Origin, name: String = "-", connection: Connection? = nil, timing: String = "0 0",
        others: [Line] = [], attributes: AttributeList = AttributeList(), media: [MediaDescription] = []
    ) {
        self.origin = origin
        self.name = name
        self.connection = connection
        self.timing = timing
        self.others = others
        self.attributes = attributes
        self.media = media
    }

    /// The origin line (RFC 8866 §5.2).
    public struct Origin: Hashable, Sendable {
        /// The user, or `-`.
        public var username: String
        /// Decimal digits that name the session; Jami writes NTP seconds.
        public var sessionID: String
        /// Rises by one with each changed edition.
        public var version: UInt64
        /// The originator's address.
        public var address: Connection

        /// Makes an origin.
        public init(username: String = "-", sessionID: String, version: UInt64 = 0, address: Connection) {
            self.username = username
            self.sessionID = sessionID
            self.version = version
            self.address = address
        }
    }

    /// An address as `o=` and `c=` lines give it.
    public struct Connection: Hashable, Sendable {
        /// `IP4` or `IP6`.
        public var family: String
        /// The address as text: numeric, or a name.
        public var text: String

        /// Gives an address.
        public init(_ address: IPAddress) {
            family = address.family == .v4 ? "IP4" : "IP6"
            text = address.description
        }

        /// Gives an address of any form.
        public init(family: String, text: String) {
            self.family = family
            self.text = text
        }

        /// The address without time-to-live and count, where it is numeric.
        public var address: IPAddress? {
            IPAddress(String(text.prefix { $0 != "/" }))
        }
    }

    /// One line of a type that has no meaning for calls.
    public struct Line: Hashable, Sendable {
        /// The letter before `=`.
        public var type: Character
        /// What follows `=`.
        public var value: String

        /// Makes a line.
        public init(type: Character, value: String) {
            self.type = type
            self.value = value
        }
    }

    /// The ICE credentials in force for a media line: its own, or the session's (RFC 8839 §5.4).
    public func credentials(forMedia index: Int) -> ICECredentials? {
        if media.indices.contains(index), let own = media[index].attributes.credentials { return own }
        return attributes.credentials
    }

    /// The direction in force for a media line: its own, or the session's, or `sendrecv`.
    public func direction(ofMedia index: Int) -> MediaDirection {
        let own = media.indices.contains(index) ? media[index].attributes.direction : nil
        guard own != .inactive, !isHeldByAddress(index) else { return .inactive }
        return own ?? attributes.direction ?? .sendReceive
    }

    /// The address in force for a media line.
    public func connection(ofMedia index: Int) -> Connection? {
        guard media.indices.contains(index) else { return connection }
        return media[index].connection ?? connection
    }

    /// Whether the peer holds every medium it did not switch off.
    public var isHeld: Bool {
        let active = media.indices.filter { media[$0].isActive }
        return !active.isEmpty && active.allSatisfy { [.sendOnly, .inactive].contains(direction(ofMedia: $0)) }
    }

    /// `c=0.0.0.0` is how hold was said before RFC 3264.
    private func isHeldByAddress(_ index: Int) -> Bool {
        connection(ofMedia: index)?.text == "0.0.0.0"
    }
}

/// The name and password of one side of ICE, as a description carries them.
public struct ICECredentials: Hashable, Sendable {
    /// `ice-ufrag`.
    public var usernameFragment: String
    /// `ice-pwd`.
    public var password: String

    /// Makes credentials.
    public init(usernameFragment: String, password: String) {
        self.usernameFragment = usernameFragment
        self.password = password
    }
}
