internal import SansIO

/// A node that wants to hear about values at a key we store.
struct RemoteListener: Sendable {
    let node: NodeID
    var endpoint: Endpoint
    let socket: UInt32
    var query: ValueQuery
    /// Whether it speaks protocol version 1: pushes are requests that it answers.
    let acknowledges: Bool
    var renewed: Instant
}

/// All nodes that listen here; limited in all, by key and by source.
struct RemoteListeners: Sendable {
    private var byKey: [InfoHash: [RemoteListener]] = [:]
    private var perSource: [SourceGroup: Int] = [:]
    private(set) var count = 0

    subscript(key: InfoHash) -> [RemoteListener] { byKey[key] ?? [] }

    /// Adds or renews a listener; `nil` when a limit stands against it, else whether it is new, or at a new address: then
    /// what was pushed to the former one may not have reached it.
    mutating func insert(_ listener: RemoteListener, at key: InfoHash, configuration: Configuration) -> Bool? {
        let source = SourceGroup(listener.endpoint.address)
        if let known = byKey[key]?.firstIndex(where: { $0.node == listener.node && $0.socket == listener.socket }),
            let before = byKey[key]?[known]
        {
            uncount(SourceGroup(before.endpoint.address))
            byKey[key]?[known] = listener
            perSource[source, default: 0] += 1
            count += 1
            return before.endpoint != listener.endpoint
        }
        guard count < configuration.listenerLimit, byKey[key] != nil || byKey.count < configuration.keyLimit,
            self[key].count < configuration.listenersPerKeyLimit,
            perSource[source] ?? 0 < configuration.listenersPerSource,
            listener.query.footprint <= configuration.listenQueryLimit
        else { return nil }
        byKey[key, default: []].append(listener)
        perSource[source, default: 0] += 1
        count += 1
        return true
    }

    private mutating func uncount(_ source: SourceGroup) {
        count -= 1
        perSource[source] = perSource[source].flatMap { $0 > 1 ? $0 - 1 : nil }
    }

    /// Forgets the listeners of a node at `key`, which does not answer pushes.
    mutating func remove(_ node: NodeID, at key: InfoHash, reachedAt endpoint: Endpoint) {
        retain(at: key) { $0.node != node || $0.endpoint != endpoint }
    }

    /// Forgets everyone who last asked before `limit`.
    mutating func removeAll(renewedBefore limit: Instant) {
        for key in Array(byKey.keys) { retain(at: key) { $0.renewed >= limit } }
    }

    private mutating func retain(at key: InfoHash, where isKept: (RemoteListener) -> Bool) {
        guard let listeners = byKey[key], !listeners.allSatisfy(isKept) else { return }
        for listener in listeners where !isKept(listener) { uncount(SourceGroup(listener.endpoint.address)) }
        let kept = listeners.filter(isKept)
        byKey[key] = kept.isEmpty ? nil : kept
    }
}
