public import SansIO

/// Storage maintenance: values that live long are given to closer nodes as they appear, and to others before leaving.
extension DHT {
    /// How many stored values are still to be handed over, keys not looked at yet counting as one.
    public var pendingHandovers: Int { handovers.count }

    /// Gives everything stored to the nodes closest to it, before this node leaves.
    ///
    /// Done when ``pendingHandovers`` is 0; the driver decides how long it waits for that.
    public mutating func handOver(at now: Instant) -> [Effect] {
        start(at: now)
        handovers.isLeaving = true
        handovers.begin(storage.keys)
        sweepStorage(at: now)
        return flush()
    }

    /// Begins a look at everything stored, or goes on with one.
    mutating func maintainStorage(at now: Instant) {
        guard configuration.maintainsStorage else { return }
        if !handovers.isSweeping { handovers.begin(storage.keys) }
        sweepStorage(at: now)
    }

    /// A node close to us is new: it may have to know what we store. Many at once are one occasion.
    mutating func neighbourAppeared(_ id: NodeID, _ family: IPAddress.Family, at now: Instant) {
        guard configuration.maintainsStorage, storage.count > 0 else { return }
        let around = networks[family].closestGood(
            to: nodeID, limit: configuration.replication * 2, configuration: configuration, at: now)
        guard around.contains(where: { $0.id == id }) else { return }
        let soon = now.advanced(by: random.duration(in: configuration.handoverDelay))
        if timers.deadline(of: .storage).map({ $0 > soon }) ?? true { timers.set(.storage, at: soon) }
    }

    /// Looks at some keys, and sets the timer for more of them or for the next sweep.
    private mutating func sweepStorage(at now: Instant) {
        for key in handovers.nextKeys(configuration.sweepSize) {
            let entries = storage.entries(at: key).filter { isWorthHandingOver($0, at: now) }
            guard !entries.isEmpty, isOurs(key, at: now) else { continue }
            for entry in entries { handovers.append(Storage.Slot(key: key, id: entry.value.id)) }
        }
        startHandovers(at: now)
        let pause =
            handovers.isSweeping ? configuration.sweepPause : random.duration(in: configuration.maintenanceInterval)
        timers.set(.storage, at: now.advanced(by: pause))
    }

    /// Whether this sweep is ours to look after `key`: always for the closest node, every n-th time for the n-th closest.
    private func isOurs(_ key: InfoHash, at now: Instant) -> Bool {
        guard !handovers.isLeaving else { return true }
        let ranks = IPAddress.Family.allCases.filter { networks[$0].status == .connected }.map { family in
            networks[family].closestGood(
                to: key, limit: configuration.replication, configuration: configuration, at: now
            ).prefix { $0.id.isCloser(to: key, than: nodeID) }.count
        }
        return ranks.contains { handovers.round.isMultiple(of: $0 + 1) }
    }

    /// Whether a value lives long enough that its holders may be gone before it. Our own are put again anyway.
    private func isWorthHandingOver(_ entry: Storage.Entry, at now: Instant) -> Bool {
        guard entry.source != nil, let expires = entry.expires else { return false }
        let rest = now.duration(to: expires)
        return rest > (handovers.isLeaving ? configuration.leavingMargin : configuration.handoverMargin)
    }

    mutating func startHandovers(at now: Instant) {
        while let (operation, slot) = handovers.next(limit: configuration.handoverConcurrency) {
            guard let entry = storage.entry(slot) else { handovers.finish(operation); continue }
            let record = PutRecord(entry.value, created: entry.created, kind: .handover)
            operations[operation] = Operation(key: slot.key, kind: .put(record))
            timers.set(.operation(operation), at: now.advanced(by: configuration.operationTimeout))
            begin(operation, at: now)
        }
    }
}
