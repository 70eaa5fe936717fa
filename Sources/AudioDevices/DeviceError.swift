internal import Glibc

/// Why a sound device cannot be used.
public enum DeviceError: Error, Hashable, Sendable {
    /// There is no device of that name, or it was taken away.
    case notFound
    /// Another program uses it.
    case busy
    /// This user may not use it.
    case notPermitted
    /// The sound server that has it does not run.
    case noServer
    /// It carries no 16-bit sound at 48 kHz, not even converted.
    case unsupportedFormat
    /// It moved no sound for too long.
    case stalled
    /// Anything else, with the system's error number.
    case failed(errno: Int32)

    /// Reads what a function of the sound library returned, a negative error number.
    init(code: Int32) {
        switch -code {
        case ENOENT, ENODEV, ENXIO: self = .notFound
        case EBUSY: self = .busy
        case EACCES, EPERM: self = .notPermitted
        case ECONNREFUSED, ECONNRESET: self = .noServer
        case EINVAL: self = .unsupportedFormat
        default: self = .failed(errno: -code)
        }
    }
}
