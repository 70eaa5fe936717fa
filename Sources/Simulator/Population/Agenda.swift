internal import SansIO

/// What is to happen to a population, in order of time; what is due at the same time happens in the order it was entered.
///
/// Entries are values without closures: tens of millions of them pass through a run.
struct Agenda {
    enum Event {
        /// A datagram reaches the place of an address.
        case arrival([UInt8], from: Endpoint, to: Endpoint)
        /// A node's deadline, as it was when this was entered.
        case wake(place: Int)
        /// One of the plan's own steps.
        case step(Int)
    }

    private struct Entry {
        let time: Instant
        let serial: UInt64
        let event: Event

        func isBefore(_ other: Entry) -> Bool {
            time == other.time ? serial < other.serial : time < other.time
        }
    }

    /// A binary heap.
    private var heap: [Entry] = []
    private var lastSerial: UInt64 = 0

    mutating func insert(_ event: Event, at time: Instant) {
        lastSerial += 1
        let entry = Entry(time: time, serial: lastSerial, event: event)
        heap.append(entry)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entry.isBefore(heap[parent]) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Removes and returns the first event due at or before `end`.
    mutating func popFirst(until end: Instant) -> (time: Instant, event: Event)? {
        guard let first = heap.first, first.time <= end else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return (first.time, first.event) }
        heap[0] = last
        var parent = 0
        while true {
            var least = 2 * parent + 1
            guard least < heap.count else { break }
            if least + 1 < heap.count, heap[least + 1].isBefore(heap[least]) { least += 1 }
            guard heap[least].isBefore(heap[parent]) else { break }
            heap.swapAt(least, parent)
            parent = least
        }
        return (first.time, first.event)
    }
}
