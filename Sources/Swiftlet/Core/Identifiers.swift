public import SecureChannel

/// An account's address: the short id of its key, 40 hexadecimal digits in print.
public typealias AccountID = ShortID
extension AccountID {
    /// Reads an id as people pass it on: 40 hexadecimal digits, maybe behind `jami:` or `ring:`.
    public init?(_ text: String) {
        let digits = ["jami:", "ring:"].first { text.hasPrefix($0) }.map { text.dropFirst($0.count) } ?? text[...]
        self.init(hex: digits)
    }
}

/// A device of an account: the short id of the device's key.
public typealias DeviceID = ShortID

/// One control link of a node: a way to one device of a peer.
package struct LinkID: RawRepresentable, Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    package static func < (left: LinkID, right: LinkID) -> Bool { left.rawValue < right.rawValue }
}

/// What an ICE session runs over.
package enum SessionTransport: Hashable, Sendable {
    case tcp
    case udp
}

/// One ICE session of a node, which its driver gives sockets of its own.
package enum SessionID: Hashable, Sendable {
    /// One of the two sessions of a control link.
    case control(LinkID, SessionTransport)
    /// One of the sessions of a call's media, which are numbered from 0.
    case media(CallID, Int)

    /// What its sockets are.
    package var transport: SessionTransport {
        switch self {
        case .control(_, let transport): transport
        case .media: .udp
        }
    }
}

/// One call of a node, outgoing or incoming.
public struct CallID: RawRepresentable, Hashable, Comparable, Sendable {
    /// The call's number, counted from 1 in the node's life.
    public let rawValue: UInt64

    /// Names a call by number.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Orders calls by number, which is the order they were begun in.
    public static func < (left: CallID, right: CallID) -> Bool { left.rawValue < right.rawValue }
}

/// A piece of work done off the event loop, and what its result is for.
package struct WorkID: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }
}
