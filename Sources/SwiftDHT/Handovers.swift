internal import SansIO

/// Stored values on their way to nodes that should have them too.
struct Handovers: Sendable {
    /// Values that wait for their turn, in the order they were found.
    private var waiting: [Storage.Slot] = []
    private var firstWaiting = 0
    private var known: Set<Storage.Slot> = []
    /// The operations under way.
    private var running: [OperationID: Storage.Slot] = [:]
    private var lastID = UInt64.max
    /// The keys still to be looked at in this sweep.
    private var sweep: ArraySlice<InfoHash> = []
    /// Which sweep this is: nodes farther from a key look at it in every second, third … sweep only.
    private(set) var round = 0
    /// Whether every value is handed over, as the node is about to leave.
    var isLeaving = false

    /// How many values wait or are under way, and keys that are still to be looked at.
    var count: Int { waiting.count - firstWaiting + running.count + sweep.count }

    /// Whether keys are left to be looked at.
    var isSweeping: Bool { !sweep.isEmpty }

    /// Begins a look at all `keys`.
    mutating func begin(_ keys: [InfoHash]) {
        round += 1
        sweep = keys[...]
    }

    /// Takes the next keys to look at.
    mutating func nextKeys(_ count: Int) -> ArraySlice<InfoHash> {
        defer { sweep = sweep.dropFirst(count) }
        return sweep.prefix(count)
    }

    /// Notes that a value is to be handed over; one that waits or is under way is there already.
    mutating func append(_ slot: Storage.Slot) {
        guard known.insert(slot).inserted else { return }
        waiting.append(slot)
    }

    /// Takes the next value whose turn it is, with the operation for it.
    mutating func next(limit: Int) -> (OperationID, Storage.Slot)? {
        guard running.count < limit, firstWaiting < waiting.count else { return nil }
        let slot = waiting[firstWaiting]
        firstWaiting += 1
        if firstWaiting == waiting.count || firstWaiting > 1024 {
            waiting.removeSubrange(..<firstWaiting)
            firstWaiting = 0
        }
        let id = OperationID(lastID)
        lastID -= 1
        running[id] = slot
        return (id, slot)
    }

    /// Ends one operation.
    mutating func finish(_ operation: OperationID) {
        guard let slot = running.removeValue(forKey: operation) else { return }
        known.remove(slot)
    }
}
