/// The class and the method of a STUN message, woven into 14 bits (RFC 8489 §5).
public struct MessageType: RawRepresentable, Hashable, Sendable {
    /// What a message is to its transaction.
    public enum Class: UInt16, Hashable, Sendable, CaseIterable {
        /// Asks, and is answered.
        case request = 0
        /// Tells, and is not answered.
        case indication = 1
        /// Answers that it was done.
        case success = 2
        /// Answers that it was not done.
        case error = 3
    }

    /// What a message is about, 12 bits.
    public struct Method: RawRepresentable, Hashable, Sendable {
        /// The number of the method, 0 to 0xFFF.
        public let rawValue: UInt16

        /// Names a method by its lowest 12 bits.
        public init(rawValue: UInt16) { self.rawValue = rawValue & 0xFFF }

        /// Learns one's address; in ICE, checks a path.
        public static let binding = Method(rawValue: 0x001)
        /// Asks a relay for an address (RFC 8656).
        public static let allocate = Method(rawValue: 0x003)
        /// Prolongs or ends an allocation (RFC 8656).
        public static let refresh = Method(rawValue: 0x004)
        /// Carries data to a peer (RFC 8656).
        public static let send = Method(rawValue: 0x006)
        /// Carries data from a peer (RFC 8656).
        public static let data = Method(rawValue: 0x007)
        /// Lets a peer's address through (RFC 8656).
        public static let createPermission = Method(rawValue: 0x008)
        /// Ties a channel number to a peer (RFC 8656).
        public static let channelBind = Method(rawValue: 0x009)
        /// Asks a relay to connect to a peer (RFC 6062).
        public static let connect = Method(rawValue: 0x00A)
        /// Turns a connection to a relay into one to a peer (RFC 6062).
        public static let connectionBind = Method(rawValue: 0x00B)
        /// Tells of a peer's connection to a relay (RFC 6062).
        public static let connectionAttempt = Method(rawValue: 0x00C)
    }

    /// The 14 bits as they stand on the wire.
    public let rawValue: UInt16

    /// Takes 14 bits from the wire; the two highest are dropped.
    public init(rawValue: UInt16) { self.rawValue = rawValue & 0x3FFF }

    /// Weaves class and method.
    public init(_ messageClass: Class, _ method: Method) {
        let (method, bits) = (method.rawValue, messageClass.rawValue)
        rawValue =
            (method & 0xF) | (method & 0x70) << 1 | (method & 0xF80) << 2 | (bits & 1) << 4 | (bits & 2) << 7
    }

    /// What the message is to its transaction.
    public var messageClass: Class {
        switch (rawValue & 0x100 != 0, rawValue & 0x10 != 0) {
        case (false, false): .request
        case (false, true): .indication
        case (true, false): .success
        case (true, true): .error
        }
    }

    /// What the message is about.
    public var method: Method {
        Method(rawValue: (rawValue & 0xF) | (rawValue >> 1 & 0x70) | (rawValue >> 2 & 0xF80))
    }
}
