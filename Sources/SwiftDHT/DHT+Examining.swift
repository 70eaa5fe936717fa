public import SansIO

/// Values that must be looked into before they are stored or reported.
extension DHT {
    /// Takes the result of an examination the node asked for; `nil` when it could not be made.
    ///
    /// Legal once for each ``Effect/examine(_:as:)``, in any order.
    public mutating func examined(_ id: ExaminationID, _ examination: Examination?, at now: Instant) -> [Effect] {
        start(at: now)
        guard let item = examinations.remove(id) else {
            outbox.append(.ignored(.examinationIdentifier))
            return flush()
        }
        for purpose in item.purposes { settle(item.value, examination, for: purpose, at: now) }
        askForExaminations()
        return flush()
    }

    /// Has `value` examined where it must be, now or by the driver; `false` when too much waits already.
    mutating func examine(_ value: Value, for purpose: Examinations.Purpose, at now: Instant) -> Bool {
        if let examination = knownExamination(of: value, for: purpose) {
            settle(value, examination, for: purpose, at: now)
            return true
        }
        guard examinations.append(value, for: purpose, configuration: configuration) else { return false }
        askForExaminations()
        return true
    }

    /// The result, where it takes no work or a verifier was given.
    private func knownExamination(of value: Value, for purpose: Examinations.Purpose) -> Examination? {
        if isPlain(value, for: purpose) { return .needless }
        return verifier.map { Examination(of: value, by: $0) }
    }

    /// Whether there is nothing to examine: no signature, or one that was examined when this node stored the value.
    private func isPlain(_ value: Value, for purpose: Examinations.Purpose) -> Bool {
        switch purpose {
        case .store, .restore: return value.signature == nil && value.type != .certificate
        case .get(let operation), .listen(let operation, _, _):
            guard value.signature != nil else { return true }
            guard value.type.policy.isSecured, let key = operations[operation]?.key else { return false }
            return storage.entry(Storage.Slot(key: key, id: value.id))?.value == value
        }
    }

    private mutating func askForExaminations() {
        while let (id, value) = examinations.next(configuration: configuration) {
            outbox.append(.examine(value, as: id))
        }
    }

    private mutating func settle(
        _ value: Value, _ examination: Examination?, for purpose: Examinations.Purpose, at now: Instant
    ) {
        switch purpose {
        case .store(let arrival):
            // Without a result nothing is acknowledged: the sender tries again.
            guard let examination else { return }
            store(value, examination, arrival, at: now)
            acknowledge(value.id, arrival)
        case .restore(let key, let life, let source):
            guard let examination else { return }
            restore(value, examination, at: key, life, from: source, at: now)
        case .get(let operation):
            if examination?.isGenuine == true { deliver(genuine: value, to: operation) }
            reportEndIfDue(of: operation, at: now)
        case .listen(let operation, let holder, let expires):
            guard examination?.isGenuine == true else { return }
            report(genuine: value, to: operation, from: holder, until: expires, at: now)
        }
    }
}
