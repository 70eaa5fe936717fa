internal import SansIO

/// What is to happen, in order of time; what is due at the same time happens in the order it was scheduled.
struct EventQueue {
    struct Event {
        let time: Instant
        let serial: UInt64
        let action: () -> Void

        func isBefore(_ other: Event) -> Bool { (time, serial) < (other.time, other.serial) }
    }

    /// A binary heap.
    private var heap: [Event] = []
    private var lastSerial: UInt64 = 0

    /// When the next event is due.
    var nextTime: Instant? { heap.first?.time }

    mutating func insert(at time: Instant, _ action: @escaping () -> Void) {
        lastSerial += 1
        heap.append(Event(time: time, serial: lastSerial, action: action))
        var child = heap.count - 1
        while child > 0, heap[child].isBefore(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Removes and returns the first event due at or before `end`.
    mutating func popFirst(until end: Instant) -> Event? {
        guard let first = heap.first, first.time <= end else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first }
        heap[0] = last
        siftDown()
        return first
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var least = 2 * parent + 1
            guard least < heap.count else { return }
            if least + 1 < heap.count, heap[least + 1].isBefore(heap[least]) { least += 1 }
            guard heap[least].isBefore(heap[parent]) else { return }
            heap.swapAt(least, parent)
            parent = least
        }
    }
}
