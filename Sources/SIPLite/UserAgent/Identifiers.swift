/// The handle of one call inside a ``UserAgent``; not the SIP `Call-ID`, which the agent makes itself.
///
/// Handles of outgoing calls are the embedder's choice and must leave the top bit clear. The agent numbers incoming
/// calls itself and sets the top bit, so the two can never meet.
public struct CallID: RawRepresentable, Hashable, Comparable, Sendable {
    /// The handle as a number.
    public let rawValue: UInt64

    /// Makes a handle from a number.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The bit that marks handles of incoming calls.
    static let incomingBit: UInt64 = 1 << 63

    /// Whether the agent made this handle for an incoming call.
    public var isIncoming: Bool { rawValue & Self.incomingBit != 0 }

    /// Orders handles by number.
    public static func < (left: CallID, right: CallID) -> Bool { left.rawValue < right.rawValue }
}

/// The embedder's name of one channel that carries SIP.
public struct FlowID: RawRepresentable, Hashable, Comparable, Sendable {
    /// The name as a number.
    public let rawValue: UInt64

    /// Makes a name from a number.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Orders names by number.
    public static func < (left: FlowID, right: FlowID) -> Bool { left.rawValue < right.rawValue }
}

/// The embedder's name of one outgoing text message, so that its outcome can be told.
public struct MessageID: RawRepresentable, Hashable, Comparable, Sendable {
    /// The name as a number.
    public let rawValue: UInt64

    /// Makes a name from a number.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Orders names by number.
    public static func < (left: MessageID, right: MessageID) -> Bool { left.rawValue < right.rawValue }
}
