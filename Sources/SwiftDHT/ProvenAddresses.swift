internal import SansIO

/// Addresses that received what we sent there: they answered a request of ours, or showed a token.
///
/// Others may be forged, and what is sent there may hit somebody who asked for nothing.
struct ProvenAddresses: Sendable {
    private static let sweepInterval: Duration = .seconds(10)

    private var until: [IPAddress: Instant] = [:]
    private var swept = Instant.zero

    var count: Int { until.count }

    func contains(_ address: IPAddress, at now: Instant) -> Bool { until[address].map { now < $0 } ?? false }

    /// Remembers `address`, if there is room.
    mutating func insert(_ address: IPAddress, until end: Instant, limit: Int, at now: Instant) {
        if until[address] == nil, until.count >= limit {
            guard swept.duration(to: now) >= Self.sweepInterval else { return }
            expire(at: now)
            guard until.count < limit else { return }
        }
        until[address] = end
    }

    /// Forgets proofs that are over.
    mutating func expire(at now: Instant) {
        swept = now
        until = until.filter { now < $0.value }
    }
}

/// Requests whose answers wait until their senders' addresses are proven.
struct WithheldRequests: Sendable {
    struct Entry: Sendable {
        let method: Request.Method
        let transaction: UInt32
        let sender: KnownNode
        let isClient: Bool
    }

    private var entries: [IPAddress: [Entry]] = [:]
    private(set) var count = 0

    /// Keeps a request; one sent again replaces itself. `false` when there is no room.
    mutating func insert(_ entry: Entry, limit: Int, perAddress: Int) -> Bool {
        let address = entry.sender.endpoint.address
        let known = entries[address]?.firstIndex {
            $0.transaction == entry.transaction && $0.sender.endpoint == entry.sender.endpoint
        }
        if let known {
            entries[address]?[known] = entry
            return true
        }
        guard count < limit, entries[address, default: []].count < perAddress else { return false }
        entries[address, default: []].append(entry)
        count += 1
        return true
    }

    /// Takes out all requests from `address`, oldest first.
    mutating func remove(_ address: IPAddress) -> [Entry] {
        guard let removed = entries.removeValue(forKey: address) else { return [] }
        count -= removed.count
        return removed
    }
}
