internal import CLinux
internal import Glibc

/// Memory that all streams of a loop read into, one after the other.
@safe
final class ReadBuffer {
    static let size = 256 << 10

    // Allocated for `size` bytes, freed once in `deinit`; the loop's thread alone uses it, one read at a time.
    private let bytes: UnsafeMutableBufferPointer<UInt8>

    init() {
        unsafe bytes = .allocate(capacity: Self.size)
        unsafe bytes.initialize(repeating: 0)
    }

    deinit { unsafe bytes.deallocate() }

    /// Reads once; lends what arrived to `handler`, unless that is the end of the stream (0 bytes).
    func read(
        from descriptor: Int32, limit: Int, _ handler: (Span<UInt8>) -> Void
    ) -> Result<Int, Errno> {
        // The kernel writes at most `size` bytes.
        let count = unsafe recv(descriptor, bytes.baseAddress, min(max(limit, 1), Self.size), Int32(MSG_DONTWAIT))
        guard count >= 0 else { return .failure(.last) }
        guard count > 0 else { return .success(0) }
        // The kernel just wrote these; the span ends with the call.
        let content = unsafe UnsafeBufferPointer(rebasing: bytes[..<count])
        handler(unsafe content.span)
        return .success(count)
    }
}
