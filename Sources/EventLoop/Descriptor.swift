internal import CLinux
internal import Glibc
internal import SansIO

/// The sole owner of an open file descriptor, closed when the value ends.
public struct Descriptor: ~Copyable, Sendable {
    /// The number; valid as long as the value lives.
    public let rawValue: Int32

    /// Takes over an open descriptor.
    public init(owning rawValue: Int32) { self.rawValue = rawValue }

    /// Takes over what a system call returned, or throws its error.
    init(checking result: Int32) throws(Errno) {
        guard result >= 0 else { throw .last }
        rawValue = result
    }

    deinit { _ = close(rawValue) }

    /// Opens a non-blocking UDP socket that child processes do not inherit.
    static func datagramSocket(_ family: IPAddress.Family) throws(Errno) -> Descriptor {
        try socket(family, SOCK_DGRAM)
    }

    /// Opens a non-blocking TCP socket that child processes do not inherit.
    static func streamSocket(_ family: IPAddress.Family) throws(Errno) -> Descriptor {
        try socket(family, SOCK_STREAM)
    }

    private static func socket(_ family: IPAddress.Family, _ kind: __socket_type) throws(Errno) -> Descriptor {
        let flags = Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        return try Descriptor(checking: Glibc.socket(family.kernelForm, Int32(kind.rawValue) | flags, 0))
    }

    /// Sets an integer option of a socket.
    func set(_ name: Int32, at level: Int32, to value: Int32) throws(Errno) {
        var value = value
        // The kernel reads exactly the four bytes of `value`.
        let result = unsafe setsockopt(rawValue, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
        guard result == 0 else { throw .last }
    }

    /// Reads an integer option of a socket.
    func option(_ name: Int32, at level: Int32) throws(Errno) -> Int32 {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        // The kernel writes at most the four bytes of `value`.
        guard unsafe getsockopt(rawValue, level, name, &value, &length) == 0 else { throw .last }
        return value
    }
}
