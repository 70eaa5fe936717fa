internal import CLinux
internal import SansIO

/// Memory for datagrams that arrive as trains: neighbours of one source and length that passed the kernel as one (UDP_GRO).
@safe
final class TrainMemory {
    /// How many trains one kernel call moves.
    static let slots = 16

    private let slots = DatagramSlots(count: TrainMemory.slots, size: 65_535)
    /// One for each slot, allocated in `init` and freed once in `deinit`.
    private let controls: UnsafeMutablePointer<clinux_train_control>

    init() {
        unsafe controls = .allocate(capacity: Self.slots)
        unsafe controls.initialize(repeating: clinux_train_control(), count: Self.slots)
    }

    deinit { unsafe controls.deallocate() }

    /// Fetches trains; returns how many.
    func receive(from descriptor: Int32) throws(Errno) -> Int {
        // Headers and controls are of the same slots, and live as long as this object.
        for index in 0..<Self.slots { unsafe clinux_expect_train(&slots.headers[index].msg_hdr, controls + index) }
        return try slots.receive(Self.slots, from: descriptor)
    }

    /// Hands the datagrams of the train in slot `index` to `handler`, one by one, until it returns `false`.
    ///
    /// - Parameter limit: how long a datagram may be.
    /// - Returns: how many were handed out, and how many were too long or came from no known family.
    func deliver(
        _ index: Int, limit: Int, to handler: (Span<UInt8>, Endpoint) -> Bool
    ) -> (delivered: Int, refused: Int) {
        let count = slots.length(of: index)
        // The kernel wrote the control message of this slot, or none.
        let size = unsafe Int(clinux_train_size(&slots.headers[index].msg_hdr))
        let step = size > 0 ? size : max(count, 1)
        guard step <= limit, let source = slots.source(of: index) else {
            return (0, max(1, (count + step - 1) / step))
        }
        var delivered = 0
        var start = 0
        repeat {
            delivered += 1
            let part = start..<min(start + step, count)
            guard slots.read(part, of: index, { handler($0, source) }) else { break }
            start += step
        } while start < count
        return (delivered, 0)
    }
}
