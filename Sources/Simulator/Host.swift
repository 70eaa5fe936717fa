package import SansIO

/// Something that lives in a ``World``: it has addresses, binds sockets and is woken at its deadline.
package protocol Host: AnyObject {
    /// What the host is called in traces.
    var name: String { get }
    /// The addresses it is reached at.
    var addresses: [IPAddress] { get }
    /// When ``advance(to:)`` next has something to do.
    var deadline: Instant? { get }
    /// Fires every timer due at or before `now`.
    func advance(to now: Instant)
}

/// One host of a world.
package struct HostID: RawRepresentable, Hashable, Comparable, Sendable {
    /// The host's number, counted from 0.
    package let rawValue: Int

    /// Names a host by number.
    package init(rawValue: Int) { self.rawValue = rawValue }

    /// Orders hosts by number.
    package static func < (left: HostID, right: HostID) -> Bool { left.rawValue < right.rawValue }
}
