internal import CLinux
internal import Glibc
internal import SansIO

/// Memory the kernel moves many datagrams through in one call: a header, an address and room for bytes in each slot.
@safe
final class DatagramSlots {
    /// How many datagrams one kernel call moves.
    let count: Int
    /// How many bytes fit into a slot.
    let size: Int

    // All allocated for `count` entries in `init` and freed once in `deinit`. Each vector points at its own part of `bytes`,
    // for good; each header at the vector and the address of its own index, until an owner aims it elsewhere among them.
    let headers: UnsafeMutablePointer<clinux_mmsghdr>
    let vectors: UnsafeMutablePointer<iovec>
    let addresses: UnsafeMutablePointer<sockaddr_storage>
    /// Written before anything is read, so that pages nothing reached cost nothing.
    private let bytes: UnsafeMutablePointer<UInt8>

    init(count: Int, size: Int) {
        precondition(count > 0 && size > 0, "slots hold at least one byte")
        self.count = count
        self.size = size
        unsafe bytes = .allocate(capacity: count * size)
        unsafe addresses = .allocate(capacity: count)
        unsafe addresses.initialize(repeating: sockaddr_storage(), count: count)
        unsafe vectors = .allocate(capacity: count)
        unsafe vectors.initialize(repeating: iovec(), count: count)
        unsafe headers = .allocate(capacity: count)
        unsafe headers.initialize(repeating: clinux_mmsghdr(), count: count)
        for index in 0..<count {
            unsafe vectors[index].iov_base = UnsafeMutableRawPointer(bytes + index * size)
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

    /// Has the kernel fill slots from the first on, at most `limit`; returns how many.
    func receive(_ limit: Int, from descriptor: Int32) throws(Errno) -> Int {
        precondition((0...count).contains(limit), "no such slot")
        for index in 0..<limit {
            unsafe vectors[index].iov_len = size
            unsafe headers[index].msg_hdr.msg_namelen = socklen_t(MemoryLayout<sockaddr_storage>.size)
            unsafe headers[index].msg_hdr.msg_flags = 0
        }
        // `headers` describes `limit` entries of memory that this object owns.
        let received = unsafe clinux_recvmmsg(descriptor, headers, UInt32(limit), Int32(MSG_DONTWAIT), nil)
        guard received >= 0 else { throw .last }
        return Int(received)
    }

    /// How many bytes the kernel put into slot `index`.
    func length(of index: Int) -> Int {
        precondition((0..<count).contains(index), "no such slot")
        return unsafe min(Int(headers[index].msg_len), size)
    }

    /// Who sent what is in slot `index`; `nil` when it did not fit or came from no known family.
    func source(of index: Int) -> Endpoint? {
        precondition((0..<count).contains(index), "no such slot")
        let header = unsafe headers[index].msg_hdr
        guard unsafe header.msg_flags & Int32(MSG_TRUNC) == 0 else { return nil }
        return unsafe Endpoint(clinux_unpack(header.msg_name, header.msg_namelen))
    }

    /// Shows a part of what the kernel put into slot `index`, during the call.
    func read<Result>(_ part: Range<Int>, of index: Int, _ body: (Span<UInt8>) -> Result) -> Result {
        precondition(part.lowerBound >= 0 && part.upperBound <= length(of: index), "nothing was received there")
        // The kernel wrote this part of the slot; the span ends with the call.
        let content = unsafe UnsafeBufferPointer(start: bytes + index * size + part.lowerBound, count: part.count)
        return unsafe body(Span(_unsafeElements: content))
    }

    /// Copies what is to be sent into slot `index`; it must fit.
    func write(_ content: [UInt8], into index: Int) {
        precondition((0..<count).contains(index) && content.count <= size, "no such slot, or no room")
        // The slot's own part of `bytes`, large enough as checked above.
        unsafe content.withUnsafeBufferPointer { content in
            guard let start = content.baseAddress else { return }
            unsafe (bytes + index * size).update(from: start, count: content.count)
        }
        unsafe vectors[index].iov_len = content.count
    }
}
