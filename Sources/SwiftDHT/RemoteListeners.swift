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

/// All nodes that listen here.
struct RemoteListeners: Sendable {
    private var byKey: [InfoHash: [RemoteListener]] = [:]
    private(set) var count = 0

    subscript(key: InfoHash) -> [RemoteListener] { byKey[key] ?? [] }

    /// Adds or renews a listener; `nil` when a limit stands against it, else whether it is new.
    mutating func insert(_ listener: RemoteListener, at key: InfoHash, configuration: Configuration) -> Bool? {
        let known = byKey[key]?.firstIndex { $0.node == listener.node && $0.socket == listener.socket }
        if let known {
            byKey[key]?[known] = listener
            return false
        }
        guard count < configuration.listenerLimit, byKey[key] != nil || byKey.count < configuration.keyLimit,
            self[key].count < configuration.listenersPerKeyLimit
        else { return nil }
        byKey[key, default: []].append(listener)
        count += 1
        return true
    }

    /// Forgets the listeners of a node at `key`, which does not answer pushes.
    mutating func remove(_ node: NodeID, at key: InfoHash, reachedAt endpoint: Endpoint) {
        guard let listeners = byKey[key] else { return }
        let kept = listeners.filter { $0.node != node || $0.endpoint != endpoint }
        count -= listeners.count - kept.count
        byKey[key] = kept.isEmpty ? nil : kept
    }

    /// Forgets everyone who last asked before `limit`.
    mutating func removeAll(renewedBefore limit: Instant) {
        byKey = byKey.compactMapValues { listeners in
            let kept = listeners.filter { $0.renewed >= limit }
            return kept.isEmpty ? nil : kept
        }
        count = byKey.values.reduce(0) { $0 + $1.count }
    }
}
