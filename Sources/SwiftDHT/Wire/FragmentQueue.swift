internal import SansIO

/// Fragments on their way out, in order, in bursts that do not overrun the receiver's socket buffer.
struct FragmentQueue: Sendable {
    private struct Entry: Sendable {
        let endpoint: Endpoint
        let transaction: UInt32
        let index: Int
        let packed: [UInt8]
        var offset = 0
    }

    private var entries: [Entry] = []
    private var next = 0
    private var burstStart: Instant?
    private var sentInBurst = 0
    /// How many fragments wait.
    private(set) var count = 0

    var isEmpty: Bool { next == entries.count }

    /// Queues all fragments of `values`; `false` when they would be too many.
    mutating func append(
        _ values: [[UInt8]], transaction: UInt32, to endpoint: Endpoint, limit: Int
    ) -> Bool {
        let fragments = values.reduce(0) { $0 + ($1.count + Fragment.sizeLimit - 1) / Fragment.sizeLimit }
        guard count + fragments <= limit else { return false }
        count += fragments
        for (index, packed) in values.enumerated() where !packed.isEmpty {
            entries.append(Entry(endpoint: endpoint, transaction: transaction, index: index, packed: packed))
        }
        return true
    }

    /// Takes the next fragment that may leave now.
    mutating func pop(
        configuration: Configuration, at now: Instant
    ) -> (endpoint: Endpoint, transaction: UInt32, fragment: Fragment)? {
        if burstStart.map({ $0.duration(to: now) >= configuration.fragmentPause }) ?? true {
            (burstStart, sentInBurst) = (now, 0)
        }
        guard next < entries.count, sentInBurst < configuration.fragmentBurst else { return nil }
        let entry = entries[next]
        let end = min(entry.offset + Fragment.sizeLimit, entry.packed.count)
        let fragment = Fragment(
            index: entry.index, offset: entry.offset, bytes: Array(entry.packed[entry.offset..<end]))
        entries[next].offset = end
        sentInBurst += 1
        count -= 1
        if end == entry.packed.count { dropFirst() }
        return (entry.endpoint, entry.transaction, fragment)
    }

    private mutating func dropFirst() {
        next += 1
        guard next == entries.count || next > 1024 else { return }
        entries.removeSubrange(..<next)
        next = 0
    }
}
