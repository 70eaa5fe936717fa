internal import CLinux
internal import Glibc
internal import SansIO

/// Memory for datagrams on their way in or out, shared by all sockets of one loop. Loop thread only.
///
/// One kernel call moves up to ``slots`` datagrams; nothing is allocated per datagram.
@safe
public final class DatagramBatch {
    /// How many datagrams one kernel call moves.
    public let slots: Int
    /// How many bytes of one datagram fit; longer ones are dropped on receipt, and counted.
    public let slotSize: Int

    // All allocated for `slots` entries in `init` and freed once in `deinit`. Each header points at the vector and the
    // address of its own index, each vector at its own part of `bytes`; that never changes.
    private let headers: UnsafeMutablePointer<clinux_mmsghdr>
    private let vectors: UnsafeMutablePointer<iovec>
    private let addresses: UnsafeMutablePointer<sockaddr_storage>
    private let bytes: UnsafeMutableBufferPointer<UInt8>

    /// Allocates `slots` times `slotSize` bytes.
    public init(slots: Int = 32, slotSize: Int = 2048) {
        precondition(slots > 0 && slotSize > 0, "a batch holds at least one byte")
        self.slots = slots
        self.slotSize = slotSize
        unsafe bytes = .allocate(capacity: slots * slotSize)
        unsafe bytes.initialize(repeating: 0)
        unsafe addresses = .allocate(capacity: slots)
        unsafe addresses.initialize(repeating: sockaddr_storage(), count: slots)
        unsafe vectors = .allocate(capacity: slots)
        unsafe vectors.initialize(repeating: iovec(), count: slots)
        unsafe headers = .allocate(capacity: slots)
        unsafe headers.initialize(repeating: clinux_mmsghdr(), count: slots)
        for index in 0..<slots {
            unsafe vectors[index].iov_base = UnsafeMutableRawPointer(bytes.baseAddress?.advanced(by: index * slotSize))
            unsafe headers[index].msg_hdr.msg_name = UnsafeMutableRawPointer(addresses + index)
            unsafe headers[index].msg_hdr.msg_iov = vectors + index
            unsafe headers[index].msg_hdr.msg_iovlen = 1
        }
    }

    deinit {
        unsafe headers.deallocate()
        unsafe vectors.deallocate()
        unsafe addresses.deallocate()
        unsafe bytes.deallocate()
    }

    /// Fetches up to `limit` datagrams; returns how many, or throws.
    func receive(from descriptor: Int32, limit: Int) throws(Errno) -> Int {
        let count = min(limit, slots)
        for index in 0..<count {
            unsafe vectors[index].iov_len = slotSize
            unsafe headers[index].msg_hdr.msg_namelen = socklen_t(MemoryLayout<sockaddr_storage>.size)
            unsafe headers[index].msg_hdr.msg_flags = 0
        }
        // `headers` describes `count` entries of memory that this object owns.
        let received = unsafe clinux_recvmmsg(descriptor, headers, UInt32(count), Int32(MSG_DONTWAIT), nil)
        guard received >= 0 else { throw .last }
        return Int(received)
    }

    /// Hands the datagram in slot `index` to `handler`; `false` when it did not fit or came from no known family.
    func deliver(_ index: Int, to handler: (Span<UInt8>, Endpoint) -> Void) -> Bool {
        precondition((0..<slots).contains(index), "no such slot")
        let header = unsafe headers[index]
        let count = unsafe Int(header.msg_len)
        guard unsafe header.msg_hdr.msg_flags & Int32(MSG_TRUNC) == 0, count <= slotSize,
            let source = unsafe Endpoint(clinux_unpack(header.msg_hdr.msg_name, header.msg_hdr.msg_namelen))
        else { return false }
        // The kernel wrote `count` bytes, no more than the slot holds; the span ends with the call.
        let start = index * slotSize
        let content = unsafe UnsafeBufferPointer(rebasing: bytes[start..<start + count])
        handler(unsafe content.span, source)
        return true
    }

    /// Copies a datagram into slot `index` for sending; it must fit.
    func load(_ content: [UInt8], to destination: clinux_address, into index: Int) {
        precondition((0..<slots).contains(index) && content.count <= slotSize, "no such slot, or no room")
        let start = index * slotSize
        // The slot's own part of `bytes`, large enough as checked above.
        _ = unsafe UnsafeMutableBufferPointer(rebasing: bytes[start..<start + content.count]).update(from: content)
        var destination = destination
        unsafe headers[index].msg_hdr.msg_namelen = clinux_pack(&destination, addresses + index)
        unsafe vectors[index].iov_len = content.count
    }

    /// Sends the first `count` slots; returns how many the kernel took, or throws when it refused the first.
    func send(through descriptor: Int32, count: Int) throws(Errno) -> Int {
        precondition((0...slots).contains(count), "no such slot")
        let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
        // `headers` describes `count` entries of memory that this object owns.
        let sent = unsafe clinux_sendmmsg(descriptor, headers, UInt32(count), flags)
        guard sent >= 0 else { throw .last }
        return Int(sent)
    }
}
