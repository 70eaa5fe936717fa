internal import SansIO

/// Values that arrive as fragments, in any order, behind the message that announced them or before it.
struct Transfers: Sendable {
    /// Names a transfer: fragments carry nothing but the transaction of their message.
    struct Name: Hashable, Sendable {
        let source: Endpoint
        let transaction: UInt32
    }

    fileprivate struct Transfer: Sendable {
        var message: Packet.Message?
        var items: [Item] = []
        var early: [Fragment] = []
        var bytes = 0
        let started: Instant
        var progressed: Instant
    }

    fileprivate struct Item: Sendable {
        /// A value that needs no fragments, or was refused.
        var settled: ValueItem?
        var size = 0
        var buffer: [UInt8] = []
        var ahead: [(offset: Int, bytes: [UInt8])] = []
        var isSettled = false
        var isComplete: Bool { isSettled || buffer.count == size }
    }

    /// How many pieces of one value may wait for those before them.
    private static let aheadLimit = 1024
    /// What a value that is announced, or a piece that waits, takes besides its bytes; counted, so that announcing much or
    /// sending little at a time gains nothing.
    private static let overhead = 96

    /// What one source has under way.
    private struct Usage {
        var transfers = 0
        var bytes = 0
    }

    private var transfers: [Name: Transfer] = [:]
    private var usage: [SourceGroup: Usage] = [:]
    private var bytes = 0
    private var earlyBytes = 0

    /// Whether a message with this name announced values, and they are not complete.
    func expects(_ name: Name) -> Bool { transfers[name]?.message != nil }

    /// Starts a transfer for the announced `items` of `message`, or goes on with one when the message is a repetition.
    ///
    /// Returns the message with all values in it, when fragments that came before complete it.
    mutating func begin(
        _ name: Name, message: Packet.Message, items: [ValueItem], configuration: Configuration, at now: Instant
    ) -> Packet.Message? {
        if transfers[name]?.message != nil { return nil }
        let size = items.count * Self.overhead
        guard hasRoom(size, for: name, configuration: configuration),
            open(name, configuration: configuration, at: now), let early = transfers[name]?.early
        else { return nil }
        let earlySize = transfers[name]?.bytes ?? 0
        earlyBytes -= earlySize
        charge(size - earlySize, for: name)
        transfers[name]?.early = []
        transfers[name]?.message = message
        transfers[name]?.items = items.map { Item($0, limit: configuration.packedValueLimit) }
        for fragment in early { _ = insert(fragment, into: name, configuration: configuration, at: now) }
        return finish(name)
    }

    /// Takes fragments of an announced transfer; returns the message when it is complete.
    mutating func receive(
        _ fragments: [Fragment], of name: Name, configuration: Configuration, at now: Instant
    ) -> Packet.Message? {
        for fragment in fragments { _ = insert(fragment, into: name, configuration: configuration, at: now) }
        return finish(name)
    }

    /// Keeps fragments until their message comes; `false` when there is no room for them.
    mutating func keepEarly(
        _ fragments: [Fragment], of name: Name, configuration: Configuration, at now: Instant
    ) -> Bool {
        let size = fragments.reduce(0) { $0 + $1.bytes.count + Self.overhead }
        guard earlyBytes + size <= configuration.earlyBytesLimit,
            hasRoom(size, for: name, configuration: configuration),
            open(name, configuration: configuration, at: now)
        else { return false }
        transfers[name]?.early += fragments
        transfers[name]?.progressed = now
        earlyBytes += size
        charge(size, for: name)
        return true
    }

    /// Makes sure that a transfer exists; `false` when its source, or all together, have too many.
    private mutating func open(_ name: Name, configuration: Configuration, at now: Instant) -> Bool {
        guard transfers[name] == nil else { return true }
        let source = SourceGroup(name.source.address)
        guard transfers.count < configuration.transferLimit,
            usage[source]?.transfers ?? 0 < configuration.transfersPerSource
        else { return false }
        transfers[name] = Transfer(started: now, progressed: now)
        usage[source, default: Usage()].transfers += 1
        return true
    }

    /// Whether a source may have `size` bytes more held.
    private func hasRoom(_ size: Int, for name: Name, configuration: Configuration) -> Bool {
        let held = usage[SourceGroup(name.source.address)]?.bytes ?? 0
        return bytes + size <= configuration.transferBytesLimit && held + size <= configuration.transferBytesPerSource
    }

    /// Counts bytes that are held, or no longer.
    private mutating func charge(_ size: Int, for name: Name) {
        bytes += size
        transfers[name]?.bytes += size
        usage[SourceGroup(name.source.address)]?.bytes += size
    }

    /// When the transfer is to be given up, unless more of it comes.
    func deadline(of name: Name, configuration: Configuration) -> Instant? {
        guard let transfer = transfers[name] else { return nil }
        return min(
            transfer.started.advanced(by: configuration.transferTime),
            transfer.progressed.advanced(by: configuration.transferIdleTime))
    }

    /// Gives a transfer up.
    mutating func remove(_ name: Name) {
        guard let transfer = transfers[name] else { return }
        charge(-transfer.bytes, for: name)
        if transfer.message == nil { earlyBytes -= transfer.bytes }
        transfers[name] = nil
        let source = SourceGroup(name.source.address)
        usage[source]?.transfers -= 1
        if usage[source]?.transfers == 0 { usage[source] = nil }
    }

    private mutating func insert(
        _ fragment: Fragment, into name: Name, configuration: Configuration, at now: Instant
    ) -> Bool {
        guard let count = transfers[name]?.items.count, fragment.index < count,
            hasRoom(fragment.bytes.count + Self.overhead, for: name, configuration: configuration),
            transfers[name]?.items[fragment.index].insert(fragment, aheadLimit: Self.aheadLimit) == true
        else { return false }
        transfers[name]?.progressed = now
        charge(fragment.bytes.count + Self.overhead, for: name)
        return true
    }

    private mutating func finish(_ name: Name) -> Packet.Message? {
        guard let transfer = transfers[name], let message = transfer.message,
            transfer.items.allSatisfy(\.isComplete)
        else { return nil }
        remove(name)
        return message.replacingValues(by: transfer.items.compactMap(\.value))
    }
}

extension Transfers.Item {
    fileprivate init(_ item: ValueItem, limit: Int) {
        guard case .announced(let announced) = item, (1...limit).contains(announced) else {
            if case .whole = item { settled = item }
            isSettled = true
            return
        }
        size = announced
    }

    /// The decoded value; `nil` when it was refused or does not decode.
    fileprivate var value: ValueItem? {
        if isSettled { return settled }
        return (try? Value(decoding: buffer)).map(ValueItem.whole)
    }

    /// Takes a piece unless any of it is there already.
    fileprivate mutating func insert(_ fragment: Fragment, aheadLimit: Int) -> Bool {
        guard !isSettled, !fragment.bytes.isEmpty, fragment.offset >= buffer.count, fragment.offset < size,
            fragment.bytes.count <= size - fragment.offset
        else { return false }
        guard fragment.offset > buffer.count else {
            guard ahead.first.map({ fragment.offset + fragment.bytes.count <= $0.offset }) ?? true else { return false }
            buffer += fragment.bytes
            while let next = ahead.first, next.offset == buffer.count { buffer += ahead.removeFirst().bytes }
            return true
        }
        let place = ahead.firstIndex { $0.offset >= fragment.offset } ?? ahead.count
        let end = fragment.offset + fragment.bytes.count
        guard ahead.count < aheadLimit, place == ahead.count || end <= ahead[place].offset,
            place == 0 || ahead[place - 1].offset + ahead[place - 1].bytes.count <= fragment.offset
        else { return false }
        ahead.insert((fragment.offset, fragment.bytes), at: place)
        return true
    }
}

extension Packet.Message {
    /// The values the message carries or announces.
    var values: [ValueItem] {
        switch self {
        case .reply(let reply): return reply.values
        case .request(let request):
            switch request.method {
            case .put(_, let values, _, _): return values
            case .update(let update): return update.values
            default: return []
            }
        default: return []
        }
    }

    /// The same message with other values.
    func replacingValues(by values: [ValueItem]) -> Packet.Message {
        switch self {
        case .reply(var reply):
            reply.values = values
            return .reply(reply)
        case .request(var request):
            switch request.method {
            case .put(let key, _, let token, let created):
                request.method = .put(key: key, values: values, token: token, created: created)
            case .update(var update):
                update.values = values
                request.method = .update(update)
            default: break
            }
            return .request(request)
        default: return self
        }
    }

    /// Whether fragments will follow.
    var announcesFragments: Bool {
        values.contains { if case .announced = $0 { true } else { false } }
    }
}
