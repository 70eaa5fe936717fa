package import SansIO

/// What happened in a world: the latest events in full, and a digest of all.
///
/// Contents are left out on purpose: keys and padding differ from run to run, sizes and times do not.
package struct Trace {
    /// One thing that happened.
    package enum Event {
        /// A datagram left.
        case datagram(from: Endpoint, to: Endpoint, count: Int, Fate)
        /// Bytes of a connection arrived.
        case stream(from: Endpoint, to: Endpoint, count: Int)
        /// A connection changed.
        case connection(from: Endpoint, to: Endpoint, String)
        /// A host did something worth telling.
        case note(host: String, String)
    }

    /// What becomes of a datagram.
    package enum Fate: UInt64 {
        case delivered
        case duplicated
        case lost
        case cut
    }

    private struct Entry {
        let time: Instant
        let event: Event
    }

    /// How many events are kept.
    package static let limit = 4000

    private var entries: [Entry] = []
    private var oldest = 0
    /// How many events there were in all.
    package private(set) var count = 0
    /// A number that two runs share only if the same happened at the same times in both.
    package private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func record(_ event: Event, at time: Instant) {
        count += 1
        mix(UInt64(bitPattern: time.nanoseconds))
        switch event {
        case .datagram(let source, let target, let size, let fate):
            mix(source)
            mix(target)
            mix(UInt64(size) << 2 | fate.rawValue)
        case .stream(let source, let target, let size):
            mix(source)
            mix(target)
            mix(UInt64(size))
        case .connection(let source, let target, let text):
            mix(source)
            mix(target)
            mix(text)
        case .note(let host, let text):
            mix(host)
            mix(text)
        }
        keep(Entry(time: time, event: event))
    }

    private mutating func keep(_ entry: Entry) {
        guard entries.count == Self.limit else { return entries.append(entry) }
        entries[oldest] = entry
        oldest = (oldest + 1) % Self.limit
    }

    private mutating func mix(_ word: UInt64) {
        digest = (digest ^ word) &* 0x0000_0100_0000_01B3
        digest ^= digest >> 29
    }

    private mutating func mix(_ endpoint: Endpoint) {
        switch endpoint.address {
        case .v4(let word): mix(UInt64(word))
        case .v6(let high, let low):
            mix(high)
            mix(low)
        }
        mix(UInt64(endpoint.port))
    }

    private mutating func mix(_ text: String) {
        for byte in text.utf8 { mix(UInt64(byte)) }
    }

    /// The latest events, oldest first, one a line; by default only what hosts told and how connections fared.
    package func lines(last limit: Int, withPackets: Bool = false) -> [String] {
        let ordered = entries[oldest...] + entries[..<oldest]
        let wanted = ordered.filter {
            switch $0.event {
            case .note, .connection: true
            case .datagram, .stream: withPackets
            }
        }
        return wanted.suffix(limit).map(Self.line)
    }

    private static func line(_ entry: Entry) -> String {
        let time = "\(entry.time.nanoseconds / 1_000_000) ms"
        return switch entry.event {
        case .datagram(let source, let target, let size, let fate): "\(time) \(source) > \(target) UDP \(size) \(fate)"
        case .stream(let source, let target, let size): "\(time) \(source) > \(target) TCP \(size)"
        case .connection(let source, let target, let text): "\(time) \(source) > \(target) TCP \(text)"
        case .note(let host, let text): "\(time) \(host): \(text)"
        }
    }
}
