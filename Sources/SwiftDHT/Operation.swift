internal import SansIO

/// A get, put or listen of the application.
struct Operation: Sendable {
    enum Kind: Sendable {
        case get(ValueQuery, found: [Value.ID: [Value]])
        case query(ValueQuery, found: Set<FieldRow>)
        case put(PutRecord)
        case listen(ValueQuery, known: KnownValues)
    }

    let key: InfoHash
    var kind: Kind
    /// The families whose searches it takes part in.
    var families: [IPAddress.Family] = []
    /// Those of them that are not done yet.
    var remaining: [IPAddress.Family] = []
    /// How many nodes answered, or acknowledged.
    var answers = 0
    /// How it ended. Permanent puts go on after it; a get has it reported once what it found is examined.
    var outcome: DHT.Outcome?
    /// Whether ``outcome`` is settled.
    var isFinished: Bool { outcome != nil }

    init(key: InfoHash, kind: Kind) {
        self.key = key
        self.kind = kind
    }

    /// Takes part in the search of one family more.
    mutating func join(_ family: IPAddress.Family) {
        families.append(family)
        remaining.append(family)
    }

    /// Counts what the search of one family gave; returns whether it was the last one.
    mutating func conclude(_ family: IPAddress.Family, answers count: Int) -> Bool {
        guard let index = remaining.firstIndex(of: family) else { return false }
        remaining.remove(at: index)
        answers += count
        return remaining.isEmpty
    }

    /// Whether it is the node's own affair, of which the application hears nothing.
    var isInternal: Bool { if case .put(let record) = kind { record.kind == .handover } else { false } }

    /// Whether it is a put that is done for the application, and goes on where nodes were slow.
    var isLingering: Bool { if case .put(let record) = kind { record.kind == .once && isFinished } else { false } }

    /// Whether it goes on until cancelled.
    var isLasting: Bool {
        switch kind {
        case .get, .query: false
        case .put(let record): record.isPermanent
        case .listen: true
        }
    }

    /// What is asked for; a put asks for nothing.
    var query: ValueQuery? {
        switch kind {
        case .get(let query, _), .query(let query, _), .listen(let query, _): query
        case .put: nil
        }
    }
}

/// A value on its way to the closest nodes.
///
/// An object, as every step of a search looks at those of its puts, and copies of values cost more than what is looked for.
final class PutRecord: Sendable {
    /// What is wanted of the nodes.
    enum Kind: Sendable {
        /// To store it.
        case once
        /// To store it, and keep it as long as the put lasts.
        case permanent
        /// To have it, if they do not: it is another node's, and its life must not become longer.
        case handover
    }

    let value: Value
    /// The value as all nodes are sent it.
    let packed: [UInt8]
    let created: Instant
    let kind: Kind

    init(_ value: Value, created: Instant, kind: Kind) {
        (self.value, packed, self.created, self.kind) = (value, value.packed, created, kind)
    }

    var isPermanent: Bool { kind == .permanent }
}
