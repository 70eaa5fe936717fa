public import SansIO

/// What the network says of endpoints where nobody listens.
extension DHT {
    /// Reports that nobody listens at `endpoint` (ICMP port unreachable, ECONNREFUSED).
    ///
    /// Whoever can guess whom we ask can forge such a report, so it proves nothing. It counts as an answer that is overdue:
    /// the next node is asked beside, and the request is repeated after the wait that a first attempt has. When that is
    /// refused, too, its node is given up; one that lives had the usual time to answer by then.
    public mutating func refused(by endpoint: Endpoint, at now: Instant) -> [Effect] {
        start(at: now)
        let owed = refusals.admit(limit: configuration.refusalsPerSecond, at: now) ? requestsOwed(at: endpoint) : []
        if owed.isEmpty { outbox.append(.ignored(.unsolicited)) }
        for transaction in owed { requestWasRefused(transaction, at: now) }
        return flush()
    }

    /// The requests that an endpoint has not answered.
    private func requestsOwed(at endpoint: Endpoint) -> [UInt32] {
        let family = endpoint.address.family
        var owed = networks[family].nodes.nodes.filter { !$0.isIdle && $0.endpoint == endpoint }
            .flatMap { requestsOwed(by: $0.id, family) }
        if networks[family].bootstrapPings > 0, bootstrapEndpoints.contains(endpoint) {
            owed += pending.values.filter { $0.node == nil && $0.endpoint == endpoint }.map(\.transaction).sorted()
        }
        return owed.filter { pending[$0]?.endpoint == endpoint }
    }

    private mutating func requestWasRefused(_ transaction: UInt32, at now: Instant) {
        guard var request = pending[transaction], request.refusedAttempt != request.attempt else { return }
        guard request.refusedAttempt == nil else { return giveUp(request, at: now) }
        request.refusedAttempt = request.attempt
        pending[transaction] = request
        if request.attempt > 1 { timers.set(.request(transaction), at: now.advanced(by: request.wait)) }
        guard let node = request.node else { return }
        networks[request.endpoint.address.family].nodes.update(node) { $0.isSlow = true }
        guard let search = request.search else { return }
        searches[search]?.update(node) { $0.isSlow = true }
        step(search, at: now)
    }
}
