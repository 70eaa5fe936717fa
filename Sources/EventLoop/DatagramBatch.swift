internal import CLinux
internal import Glibc
internal import SansIO

/// Memory for datagrams on their way in or out, shared by all sockets of one loop. Loop thread only.
///
/// One kernel call moves up to ``slots`` datagrams; nothing is allocated per datagram.
@safe
public final class DatagramBatch {
    private let memory: DatagramSlots
    /// One for each slot, allocated in `init` and freed once in `deinit`.
    private let controls: UnsafeMutablePointer<clinux_segment_control>
    /// Whether the kernel takes trains of datagrams; found out by trying.
    private var takesTrains = true
    /// For sockets that accept trains.
    private(set) lazy var trains = TrainMemory()

    /// Allocates `slots` times `slotSize` bytes.
    public init(slots: Int = 32, slotSize: Int = 2048) {
        memory = DatagramSlots(count: slots, size: slotSize)
        unsafe controls = .allocate(capacity: slots)
        unsafe controls.initialize(repeating: clinux_segment_control(), count: slots)
    }

    deinit { unsafe controls.deallocate() }

    /// How many datagrams one kernel call moves.
    public var slots: Int { memory.count }
    /// How many bytes of one datagram fit; longer ones are dropped on receipt, and counted.
    public var slotSize: Int { memory.size }

    /// Fetches up to `limit` datagrams; returns how many, or throws.
    func receive(from descriptor: Int32, limit: Int) throws(Errno) -> Int {
        try memory.receive(min(limit, slots), from: descriptor)
    }

    /// Hands the datagram in slot `index` to `handler`; `false` when it did not fit or came from no known family.
    func deliver(_ index: Int, to handler: (Span<UInt8>, Endpoint) -> Void) -> Bool {
        guard let source = memory.source(of: index) else { return false }
        memory.read(0..<memory.length(of: index), of: index) { handler($0, source) }
        return true
    }

    /// Copies a datagram into slot `index` for sending; it must fit.
    func load(_ content: [UInt8], to destination: clinux_address, into index: Int) {
        memory.write(content, into: index)
        var destination = destination
        // The slot was just found to be there.
        unsafe memory.headers[index].msg_hdr.msg_namelen = clinux_pack(&destination, memory.addresses + index)
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
        let size = unsafe memory.vectors[first].iov_len
        guard size > 0, size <= Self.trainSegmentLimit, unsafe memory.vectors[last].iov_len == size,
            unsafe memory.vectors[next].iov_len <= size, unsafe memory.vectors[next].iov_len > 0
        else { return false }
        let length = unsafe memory.headers[first].msg_hdr.msg_namelen
        guard unsafe memory.headers[next].msg_hdr.msg_namelen == length else { return false }
        return unsafe memcmp(memory.addresses + first, memory.addresses + next, Int(length)) == 0
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
        // The headers describe that many entries of memory that this object owns.
        let sent = unsafe clinux_sendmmsg(descriptor, memory.headers, UInt32(trains.count), flags)
        guard sent > 0 else { throw .last }
        return trains[Int(sent) - 1].upperBound
    }

    /// Makes a header describe a range of slots, which is not empty; the length of an address is the same for all.
    private func aim(header index: Int, at train: Range<Int>) {
        let segment = train.count > 1 ? unsafe memory.vectors[train.lowerBound].iov_len : 0
        unsafe memory.headers[index].msg_hdr.msg_name = UnsafeMutableRawPointer(memory.addresses + train.lowerBound)
        unsafe memory.headers[index].msg_hdr.msg_iov = memory.vectors + train.lowerBound
        unsafe memory.headers[index].msg_hdr.msg_iovlen = train.count
        unsafe clinux_set_segment(&memory.headers[index].msg_hdr, controls + index, UInt16(segment))
    }
}
