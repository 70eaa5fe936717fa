internal import CLinux
internal import Glibc

/// Why the operating system refused a call.
public struct Errno: Error, RawRepresentable, Hashable, Sendable {
    /// The number as `errno` carries it.
    public let rawValue: Int32

    /// Wraps an error number.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// The calling thread's last error.
    static var last: Errno { Errno(rawValue: errno) }

    /// The call would have to wait.
    public static let wouldBlock = Errno(rawValue: EAGAIN)
    /// A signal interrupted the call.
    public static let interrupted = Errno(rawValue: EINTR)
    /// The connection attempt goes on in the background.
    public static let inProgress = Errno(rawValue: EINPROGRESS)
    /// Nobody listens there.
    public static let connectionRefused = Errno(rawValue: ECONNREFUSED)
    /// The peer tore the connection down.
    public static let connectionReset = Errno(rawValue: ECONNRESET)
    /// The connection was torn down before it was accepted.
    public static let connectionAborted = Errno(rawValue: ECONNABORTED)
    /// Nothing was heard for too long.
    public static let timedOut = Errno(rawValue: ETIMEDOUT)
    /// Our side of the connection is closed for writing.
    public static let brokenPipe = Errno(rawValue: EPIPE)
    /// The socket is not connected, or closed already.
    public static let notConnected = Errno(rawValue: ENOTCONN)
    /// No route leads to the host.
    public static let hostUnreachable = Errno(rawValue: EHOSTUNREACH)
    /// No route leads to the network.
    public static let networkUnreachable = Errno(rawValue: ENETUNREACH)
    /// A queue is full.
    public static let noBufferSpace = Errno(rawValue: ENOBUFS)
    /// The datagram is longer than the path or the socket allows.
    public static let messageTooLong = Errno(rawValue: EMSGSIZE)
    /// Another socket holds the address.
    public static let addressInUse = Errno(rawValue: EADDRINUSE)
    /// The address is none of this machine's.
    public static let addressNotAvailable = Errno(rawValue: EADDRNOTAVAIL)
    /// The socket cannot carry this address family.
    public static let familyNotSupported = Errno(rawValue: EAFNOSUPPORT)
    /// This process has no descriptors left.
    public static let tooManyOpenFiles = Errno(rawValue: EMFILE)
    /// The machine has no descriptors left.
    public static let tooManyOpenFilesInSystem = Errno(rawValue: ENFILE)
    /// Somebody else has it.
    public static let busy = Errno(rawValue: EBUSY)
    /// The descriptor is not open.
    public static let badDescriptor = Errno(rawValue: EBADF)
    /// A local firewall or a missing right forbids it.
    public static let notPermitted = Errno(rawValue: EPERM)
    static let notImplemented = Errno(rawValue: ENOSYS)

    /// The symbolic name (`ECONNREFUSED`), or the number for one the C library does not know.
    public var name: String {
        // The C library returns a constant string or nil.
        guard let name = unsafe clinux_error_name(rawValue) else { return "errno \(rawValue)" }
        return unsafe String(cString: name)
    }
}

extension Errno: CustomStringConvertible {
    /// The name and the C library's English text.
    public var description: String {
        // The C library returns a constant string or nil.
        guard let text = unsafe clinux_error_text(rawValue) else { return name }
        return unsafe "\(name) (\(String(cString: text)))"
    }
}
