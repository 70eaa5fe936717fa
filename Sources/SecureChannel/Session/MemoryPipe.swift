internal import CGnuTLS
internal import Glibc

/// The transport GnuTLS sees: what arrived and was not read yet, and what it wants sent.
@safe
final class MemoryPipe {
    private let isDatagram: Bool
    private var inbound: [[UInt8]] = []
    private var next = 0
    private var offset = 0
    private var outbound: [[UInt8]] = []
    private let session: gnutls_session_t

    init(isDatagram: Bool, session: gnutls_session_t) {
        self.isDatagram = isDatagram
        unsafe self.session = session
    }

    var hasInput: Bool { next < inbound.count }

    func receive(_ bytes: [UInt8]) {
        if !bytes.isEmpty { inbound.append(bytes) }
    }

    /// What was written since the last call: datagrams one by one, pieces of a stream joined.
    func takeOutput() -> [[UInt8]] {
        defer { outbound.removeAll() }
        return isDatagram || outbound.count < 2 ? outbound : [Array(outbound.joined())]
    }

    /// Makes this pipe the session's transport; the caller keeps it alive as long as the session.
    func install() {
        let reference = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe gnutls_transport_set_ptr(session, reference)
        unsafe gnutls_transport_set_push_function(session, Self.push)
        unsafe gnutls_transport_set_pull_function(session) { reference, buffer, size in
            // GnuTLS hands back the pointer `install` gave it, and a buffer of `size` bytes.
            guard let reference = unsafe reference, let buffer = unsafe buffer else { return -1 }
            let pipe = unsafe Unmanaged<MemoryPipe>.fromOpaque(reference).takeUnretainedValue()
            return unsafe pipe.pull(into: UnsafeMutableRawBufferPointer(start: buffer, count: size))
        }
        unsafe gnutls_transport_set_pull_timeout_function(session) { reference, _ in
            // As above. Nothing ever waits here: either there is input or GnuTLS is to come back later.
            guard let reference = unsafe reference else { return 0 }
            return unsafe Unmanaged<MemoryPipe>.fromOpaque(reference).takeUnretainedValue().hasInput ? 1 : 0
        }
    }

    /// Writes for GnuTLS; the first argument is the pipe.
    static let push: gnutls_push_func = { reference, bytes, size in
        // The pointer is a living pipe's, the buffer has `size` bytes.
        guard let reference = unsafe reference, let bytes = unsafe bytes else { return -1 }
        let pipe = unsafe Unmanaged<MemoryPipe>.fromOpaque(reference).takeUnretainedValue()
        pipe.outbound.append(unsafe [UInt8](UnsafeRawBufferPointer(start: bytes, count: size)))
        return size
    }

    private func pull(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard hasInput else {
            // The session is alive: it is the one calling.
            unsafe gnutls_transport_set_errno(session, EAGAIN)
            return -1
        }
        let chunk = inbound[next]
        let count = min(buffer.count, chunk.count - offset)
        // Both ranges were just cut to size.
        unsafe buffer.copyBytes(from: chunk[offset..<offset + count])
        offset += count
        // What of a datagram does not fit is lost, as with a socket.
        if isDatagram || offset == chunk.count { (next, offset) = (next + 1, 0) }
        if !hasInput {
            inbound.removeAll(keepingCapacity: true)
            next = 0
        }
        return count
    }
}
