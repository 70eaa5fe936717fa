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

    // All allocated for `slots` entries in `init` and freed once in `deinit`. Each vector points at its own part of `bytes`,
    // for good. Each header points at the vector and the address of its own index, except while a train is sent.
    private let headers: UnsafeMutablePointer<clinux_mmsghdr>
    private let vectors: UnsafeMutablePointer<iovec>
    private let addresses: UnsafeMutablePointer<sockaddr_storage>
    private let controls: UnsafeMutablePointer<clinux_segment_control>
    private let bytes: UnsafeMutableBufferPointer<UInt8>
    /// Whether the kernel takes trains of datagrams; found out by trying.
    private var takesTrains = true
    /// For sockets that accept trains.
    private(set) lazy var trains = TrainMemory()

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
        unsafe controls = .allocate(capacity: slots)
        unsafe controls.initialize(repeating: clinux_segment_control(), count: slots)
        for index in 0..<slots {
            unsafe vectors[index].iov_base = UnsafeMutableRawPointer(bytes.baseAddress?.advanced(by: index * slotSize))
            unsafe headers[index].msg_hdr.msg_name = UnsafeMutableRawPointer(addresses + index)
            unsafe headers[index].msg_hdr.msg_iov = vectors + index
            unsafe headers[index].msg_hdr.msg_iovlen = 1
        }
    }

    deinit {
        unsafe headers.deallocate()
        unsafe controls.deallocate()
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
    ///
    /// Neighbours for one destination and of one length leave as a train, which passes the kernel as one.
    func send(through descriptor: Int32, count: Int) throws(Errno) -> Int {
        precondition((0...slots).contains(count), "no such slot")
        guard count > 0 else { return 0 }
        do throws(Errno) {
            return try send(grouped(count), through: descriptor)
        } catch {
            // A kernel or route that knows no trains says so in several ways; single datagrams then decide.
            guard takesTrains, error != .wouldBlock, error != .noBufferSpace else { throw error }
            takesTrains = error.rawValue != EINVAL && error.rawValue != EIO
            return try send((0..<count).map { $0..<$0 + 1 }, through: descriptor)
        }
    }

    /// How many datagrams the kernel takes in one train, and how long they may be: so that no route has to cut one.
    private static let trainLimit = 32
    private static let trainSegmentLimit = 1400

    /// The first `count` slots as trains; the last datagram of a train may be shorter than the others.
    private func grouped(_ count: Int) -> [Range<Int>] {
        var trains: [Range<Int>] = []
        var start = 0
        for index in 1..<max(count, 1) where !continues(start..<index) {
            trains.append(start..<index)
            start = index
        }
        trains.append(start..<count)
        return trains
    }

    /// Whether the slot after `train` may be a part of it.
    private func continues(_ train: Range<Int>) -> Bool {
        let (first, last, next) = (train.lowerBound, train.upperBound - 1, train.upperBound)
        guard takesTrains, train.count < Self.trainLimit else { return false }
        // All three are loaded slots.
        let size = unsafe vectors[first].iov_len
        guard size > 0, size <= Self.trainSegmentLimit, unsafe vectors[last].iov_len == size,
            unsafe vectors[next].iov_len <= size, unsafe vectors[next].iov_len > 0
        else { return false }
        let length = unsafe headers[first].msg_hdr.msg_namelen
        guard unsafe headers[next].msg_hdr.msg_namelen == length else { return false }
        return unsafe memcmp(addresses + first, addresses + next, Int(length)) == 0
    }

    private func send(_ trains: [Range<Int>], through descriptor: Int32) throws(Errno) -> Int {
        // Nothing moves while every train is one datagram: header, address and vector of a slot belong together.
        for (index, train) in trains.enumerated() where train != index..<index + 1 { aim(header: index, at: train) }
        defer {
            for (index, train) in trains.enumerated() where train != index..<index + 1 {
                aim(header: index, at: index..<index + 1)
            }
        }
        let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
        // `headers` describes that many entries of memory that this object owns.
        let sent = unsafe clinux_sendmmsg(descriptor, headers, UInt32(trains.count), flags)
        guard sent > 0 else { throw .last }
        return trains[Int(sent) - 1].upperBound
    }

    /// Makes a header describe a range of slots, which is not empty; the length of an address is the same for all.
    private func aim(header index: Int, at train: Range<Int>) {
        let segment = train.count > 1 ? unsafe vectors[train.lowerBound].iov_len : 0
        unsafe headers[index].msg_hdr.msg_name = UnsafeMutableRawPointer(addresses + train.lowerBound)
        unsafe headers[index].msg_hdr.msg_iov = vectors + train.lowerBound
        unsafe headers[index].msg_hdr.msg_iovlen = train.count
        unsafe clinux_set_segment(&headers[index].msg_hdr, controls + index, UInt16(segment))
    }
}
