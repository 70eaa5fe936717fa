internal import SansIO

/// When checks are repeated.
extension ICEAgent {
    /// Checks stretch their first wait with the number of pairs (RFC 8445 §14.3); streams do not repeat.
    func timing(over path: Path) -> Retransmission {
        var timing = configuration.retransmission
        if case .stream = path { return Retransmission(initial: timing.total, attempts: 1, lastWaitFactor: 1) }
        timing.initial = max(timing.initial, configuration.pacing * checkList.activeCount)
        return timing
    }

    /// How a check is repeated ahead of the regular schedule, which is made for paths nobody knows anything about.
    ///
    /// A pair that is better than one that works was perhaps checked before the peer opened its filter, and must not lose
    /// because of that. A nomination travels a path whose round trip is known, and everything waits for it.
    func haste(for pair: CandidatePair, over path: Path, at now: Instant) -> Transaction.Haste? {
        guard case .datagram = path else { return nil }
        if pair.isNominating {
            let wait = max((pair.roundTrip ?? .zero) * 2, configuration.nominationRepetition)
            return Transaction.Haste(wait: wait, growth: 1, end: now.advanced(by: wait * 10))
        }
        let end = now.advanced(by: configuration.retransmission.initial)
        guard let working = working(pair.component), let roundTrip = working.roundTrip, pair.rank > working.rank else {
            return configuration.earlyRepetition.map { Transaction.Haste(wait: $0, growth: 2, end: end) }
        }
        return Transaction.Haste(wait: max(roundTrip / 8, configuration.pacing * 2), growth: 2, end: end)
    }

    /// The pair of a component that data may travel on.
    private func working(_ component: Int) -> CandidatePair? {
        currentSelection(component)?.checked ?? checkList.bestValid(component: component)
    }

    /// Has the checks under way of all pairs that are better than what works repeated now, one after the other: where
    /// the peer has answered on one pair, its filters are open for the others as well.
    mutating func hasten(_ component: Int, at now: Instant) {
        guard let working = working(component) else { return }
        var start = now
        for pair in checkList.pairs where pair.component == component && pair.state == .inProgress {
            guard pair.rank > working.rank, let path = path(of: pair),
                let index = transactions.firstIndex(where: { $0.id == pair.transaction }),
                !transactions[index].isHastened, start < transactions[index].regular
            else { continue }
            transactions[index].isHastened = true
            transactions[index].haste = haste(for: pair, over: path, at: now)
            timers.set(.transaction(transactions[index].id), at: start)
            start = start.advanced(by: configuration.pacing)
        }
    }

    /// Sets when a request that has just been sent by schedule is repeated next.
    mutating func schedule(_ transaction: inout Transaction, at now: Instant) {
        let wait =
            transaction.isConsent
            ? configuration.consent?.expiry ?? transaction.timing.total
            : transaction.timing.wait(after: transaction.attempts)
        transaction.regular = now.advanced(by: max(wait, .milliseconds(1)))
        armNext(&transaction, at: now)
    }

    /// Waits for the next early repetition, or for the schedule.
    private mutating func armNext(_ transaction: inout Transaction, at now: Instant) {
        guard let haste = transaction.haste, now.advanced(by: haste.wait) < min(haste.end, transaction.regular) else {
            return timers.set(.transaction(transaction.id), at: transaction.regular)
        }
        transaction.haste?.wait = haste.wait * haste.growth
        timers.set(.transaction(transaction.id), at: now.advanced(by: max(haste.wait, .milliseconds(1))))
    }

    /// Repeats a check, or ends it.
    mutating func transactionIsDue(_ id: TransactionID, at now: Instant) -> [Effect] {
        guard let index = transactions.firstIndex(where: { $0.id == id }) else { return [] }
        var transaction = transactions[index]
        if now < transaction.regular {
            guard !transaction.isCancelled else {
                timers.set(.transaction(id), at: transaction.regular)
                return []
            }
            armNext(&transaction, at: now)
            return repeated(transaction, index, at: now)
        }
        let isOver = transaction.isCancelled || transaction.attempts >= transaction.timing.attempts
        if case .check = transaction.purpose, !isOver {
            transaction.attempts += 1
            schedule(&transaction, at: now)
            return repeated(transaction, index, at: now)
        }
        transactions.remove(at: index)
        guard case .check = transaction.purpose, checkList[transaction.pair]?.transaction == id else { return [] }
        return pairFailed(transaction.pair, at: now)
    }

    private mutating func repeated(_ transaction: Transaction, _ index: Int, at now: Instant) -> [Effect] {
        transactions[index] = transaction
        transactions[index].lastSent = now
        return [transmit(transaction.request, over: transaction.path, at: now)]
    }
}
