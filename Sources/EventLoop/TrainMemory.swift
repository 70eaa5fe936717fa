internal import CLinux
internal import Glibc
internal import SansIO

/// Memory for datagrams that arrive as trains: neighbours of one source and length that passed the kernel as one (UDP_GRO).
@safe
final class TrainMemory {
    /// How many trains one kernel call moves, and how long one can be.
    static let slots = 16
    private static let slotSize = 65_535

    // All allocated for `slots` entries in `init` and freed once in `deinit`. Each vector points at its own part of `bytes`,
    // each header at the vector, the address and the control message of its own index, for good.
    private let headers: UnsafeMutablePointer<clinux_mmsghdr>
    private let vectors: UnsafeMutablePointer<iovec>
    private let addresses: UnsafeMutablePointer<sockaddr_storage>
    private let controls: UnsafeMutablePointer<clinux_train_control>
    /// The kernel writes before anything is read, so that pages no train reached cost nothing.
    private let bytes: UnsafeMutablePointer<UInt8>

    init() {
        unsafe bytes = .allocate(capacity: Self.slots * Self.slotSize)
        unsafe addresses = .allocate(capacity: Self.slots)
        unsafe addresses.initialize(repeating: sockaddr_storage(), count: Self.slots)
        unsafe controls = .allocate(capacity: Self.slots)
        unsafe controls.initialize(repeating: clinux_train_control(), count: Self.slots)
        unsafe vectors = .allocate(capacity: Self.slots)
        unsafe vectors.initialize(repeating: iovec(), count: Self.slots)
        unsafe headers = .allocate(capacity: Self.slots)
        unsafe headers.initialize(repeating: clinux_mmsghdr(), count: Self.slots)
        for index in 0..<Self.slots {
            unsafe vectors[index].iov_base = UnsafeMutableRawPointer(bytes + index * Self.slotSize)
            unsafe vectors[index].iov_len = Self.slotSize
            unsafe headers[index].msg_hdr.msg_name = UnsafeMutableRawPointer(addresses + index)
            unsafe headers[index].msg_hdr.msg_iov = vectors + index
            unsafe headers[index].msg_hdr.msg_iovlen = 1
        }
    }

    deinit {
        unsafe headers.deallocate()
        unsafe vectors.deallocate()
        unsafe controls.deallocate()
        unsafe addresses.deallocate()
        unsafe bytes.deallocate()
    }

    /// Fetches trains; returns how many.
    func receive(from descriptor: Int32) throws(Errno) -> Int {
        for index in 0..<Self.slots {
            unsafe headers[index].msg_hdr.msg_namelen = socklen_t(MemoryLayout<sockaddr_storage>.size)
            unsafe headers[index].msg_hdr.msg_flags = 0
            unsafe clinux_expect_train(&headers[index].msg_hdr, controls + index)
        }
        // `headers` describes `slots` entries of memory that this object owns.
        let received = unsafe clinux_recvmmsg(descriptor, headers, UInt32(Self.slots), Int32(MSG_DONTWAIT), nil)
        guard received >= 0 else { throw .last }
        return Int(received)
    }

    /// Hands the datagrams of the train in slot `index` to `handler`, one by one, until it returns `false`.
    ///
    /// - Parameter limit: how long a datagram may be.
    /// - Returns: how many were handed out, and how many were too long or came from no known family.
    func deliver(
        _ index: Int, limit: Int, to handler: (Span<UInt8>, Endpoint) -> Bool
    ) -> (delivered: Int, refused: Int) {
        precondition((0..<Self.slots).contains(index), "no such slot")
        let count = unsafe min(Int(headers[index].msg_len), Self.slotSize)
        let size = unsafe Int(clinux_train_size(&headers[index].msg_hdr))
        let step = size > 0 ? size : max(count, 1)
        let isWhole = unsafe headers[index].msg_hdr.msg_flags & Int32(MSG_TRUNC) == 0
        guard isWhole, step <= limit,
            let source = unsafe Endpoint(
                clinux_unpack(headers[index].msg_hdr.msg_name, headers[index].msg_hdr.msg_namelen))
        else { return (0, max(1, (count + step - 1) / step)) }
        var delivered = 0
        var start = 0
        repeat {
            let length = min(step, count - start)
            // The kernel wrote `count` bytes, no more than the slot holds; the span ends with the call.
            let content = unsafe UnsafeBufferPointer(start: bytes + index * Self.slotSize + start, count: length)
            delivered += 1
            guard unsafe handler(Span(_unsafeElements: content), source) else { break }
            start += step
        } while start < count
        return (delivered, 0)
    }
}
