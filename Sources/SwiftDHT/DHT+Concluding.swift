internal import SansIO

/// When a search has given its operations all it can, and when it goes on.
extension DHT {
    /// The operations this search has nothing more to give to, with the number of nodes that answered each.
    func concluded(_ search: Search, _ facts: StepFacts) -> [(OperationID, answers: Int)] {
        var concluded: [(OperationID, answers: Int)] = []
        for operation in search.gets {
            let answers = answers(search, facts) { search.nodes[$0].answered.contains(operation) }
            if let answers { concluded.append((operation, answers)) }
        }
        guard search.puts.contains(where: { !$0.isFinished }), isExplored(search, facts) else { return concluded }
        for put in search.puts where !put.isFinished {
            // Copies in the places of slow nodes follow, but nobody who puts has to wait for them.
            let copies = search.nodes.indices.count { search.hasStored(put.id, $0) }
            let isEnough = copies >= configuration.putQuorum
            let answers = answers(search, countsSlow: isEnough, facts) { search.hasStored(put.id, $0) }
            if answers != nil { concluded.append((put.id, copies)) }
        }
        return concluded
    }

    /// How many nodes answered, once all of the closest that count have; `nil` before.
    private func answers(
        _ search: Search, countsSlow: Bool = false, _ facts: StepFacts, _ hasAnswered: (Int) -> Bool
    ) -> Int? {
        let closest = search.closestCounting(
            configuration.replication, quorum: configuration.quorum, countsSlow: countsSlow, facts.spread,
            hasAnswered: hasAnswered)
        return closest.haveAllAnswered ? closest.count : nil
    }

    /// Whether all of the closest nodes have answered.
    func isSettled(_ search: Search, _ facts: StepFacts) -> Bool {
        answers(search, facts) { search.isExplored($0, after: facts.freshAfter) } != nil
    }

    /// Whether enough of the closest nodes have answered to know that none is closer.
    private func isExplored(_ search: Search, _ facts: StepFacts) -> Bool {
        search.closestCounting(
            configuration.explorations, quorum: configuration.quorum, facts.spread,
            hasAnswered: { search.isExplored($0, after: facts.freshAfter) }
        ).haveAllAnswered
    }

    /// Whether a put that was reported as done has nothing left to do, not even at nodes that were slow.
    func isSpread(_ put: OpenPut, in key: SearchKey, _ facts: StepFacts) -> Bool {
        guard put.isLingering, let search = searches[key] else { return false }
        return search.isDoneEverywhere(configuration.replication, facts.spread) { search.hasStored(put.id, $0) }
    }

    /// Takes what a finished search saw as a sample of the network's density.
    mutating func estimateSize(from search: Search, at now: Instant) {
        if networks[search.key.family].size.own == nil { estimateSize(search.key.family, at: now) }
        var (spread, rank) = (spread(search.key.family, at: now), 0)
        for index in search.nodes.indices where !search.nodes[index].isExpired {
            let fraction = search.nodes[index].fraction
            guard spread.counts(search.nodes[index].prefix, fraction: fraction), !search.nodes[index].isSlow else {
                continue
            }
            rank += 1
            guard rank == configuration.replication, let size = SizeEstimate.size(rank: rank, fraction: fraction) else {
                continue
            }
            return networks[search.key.family].size.observe(size, around: search.key.key, at: now)
        }
    }

    /// When something will be due that no answer brings about.
    func nextStep(_ search: Search, _ facts: StepFacts) -> Instant? {
        guard search.wantsTokens else { return nil }
        let permanent = search.puts.filter(\.record.isPermanent)
        var (next, oldestToken): (Instant?, Instant?)
        func consider(_ instant: Instant) { next = next.map { min($0, instant) } ?? instant }
        var (spread, counted) = (facts.spread, 0)
        for index in search.nodes.indices where !search.nodes[index].isExpired && counted < configuration.replication {
            let isListenTarget = counted < configuration.listenTargets
            let counts = spread.counts(search.nodes[index].prefix, fraction: search.nodes[index].fraction)
            guard !search.nodes[index].isSlow else { continue }
            if counts { counted += 1 }
            if let synced = search.nodes[index].synced, search.nodes[index].lookups.isEmpty {
                oldestToken = min(oldestToken ?? synced, synced)
            }
            for put in permanent {
                let store = search.nodes[index].stores.first { $0.operation == put.id }
                if let store, let due = refreshDue(put.record, store) { consider(due) }
            }
            // Nodes that closer ones displaced are not asked again.
            guard isListenTarget else { continue }
            for subscription in search.nodes[index].subscriptions where !subscription.isPending {
                consider(subscription.renewed.advanced(by: configuration.listenInterval))
            }
        }
        if let oldestToken { consider(oldestToken.advanced(by: configuration.tokenFreshness)) }
        // Never at once: what is due now and was not done waits for an answer.
        return next.map { max($0, facts.now.advanced(by: .milliseconds(100))) }
    }
}
