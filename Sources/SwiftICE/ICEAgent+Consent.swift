internal import SansIO

extension ICEAgent {
    /// Starts the keepalives and consent checks of a component's new pair.
    mutating func watch(_ component: Int, at now: Instant) {
        arm(.keepalive(component: component), after: configuration.keepalive, at: now)
        armConsentExpiry(component, at: now)
        armConsentCheck(component, at: now)
    }

    private mutating func armConsentCheck(_ component: Int, at now: Instant) {
        guard let interval = configuration.consent?.interval, interval > .zero else { return }
        arm(
            .consent(component: component), after: random.duration(in: interval * 8 / 10...interval * 12 / 10), at: now)
    }

    /// Sends an indication when nothing was sent for a while (RFC 8445 §11).
    mutating func keepAlive(_ component: Int, at now: Instant) -> [Effect] {
        guard isAlive, let selection = selections[component - 1] else { return [] }
        let due = selection.lastSent.advanced(by: max(configuration.keepalive, .milliseconds(1)))
        guard due <= now else {
            timers.set(.keepalive(component: component), at: due)
            return []
        }
        arm(.keepalive(component: component), after: configuration.keepalive, at: now)
        guard hasConsent(selection, at: now) else { return [] }
        let indication = MessageBuilder(.indication, .binding, TransactionID(random: &random)).finishedWithFingerprint()
        return [transmit(indication, over: selection.pair.path, at: now)]
    }

    /// Asks the peer whether it still wants what we send (RFC 7675 §5.1); more insistently when two answers in a row
    /// are missing, so that loss alone does not end a session.
    mutating func renewConsent(_ component: Int, at now: Instant) -> [Effect] {
        armConsentCheck(component, at: now)
        let effects = request(onSelected: component, nominating: false, at: now)
        guard let selection = selections[component - 1], let consent = configuration.consent,
            selection.lastAnswer.duration(to: now) > consent.interval * 2
        else { return effects }
        return effects + suspect(component, at: now)
    }

    /// Nominates the selected pair again when the peer checks it afterwards: it may have missed the nomination while it
    /// did not know our description yet, or have lost the pair and found it again, and would wait for one until it
    /// fails. A few times at once, then every now and then.
    mutating func repeatNomination(_ component: Int, at now: Instant) -> [Effect] {
        guard role == .controlling, let selection = selections[component - 1] else { return [] }
        let isTime = selection.lastRepetition.map { $0.duration(to: now) >= configuration.keepalive } ?? true
        guard isTime || selection.repeatedNominations < 3 else { return [] }
        selections[component - 1]?.repeatedNominations += 1
        selections[component - 1]?.lastRepetition = now
        return request(onSelected: component, nominating: true, at: now)
    }

    mutating func request(onSelected component: Int, nominating: Bool, at now: Instant) -> [Effect] {
        guard isAlive, let selection = selections[component - 1] else { return [] }
        // The pair whose nomination is under way must not be overtaken by the one it is to replace.
        let nominating = nominating && !isNominating(component)
        noteQuestion(component, at: now)
        return request(
            .consent(component: component, nominating: nominating), pair: selection.checked, over: selection.pair.path,
            of: selection.generation, at: now)
    }

    /// Counts a question to the peer. Where none was asked for as long as two would have been due, we slept ourselves, and
    /// what was asked before says nothing about the peer.
    private mutating func noteQuestion(_ component: Int, at now: Instant) {
        guard let selection = selections[component - 1] else { return }
        if let interval = configuration.consent?.interval, selection.lastAsked.duration(to: now) > interval * 2 {
            selections[component - 1]?.unanswered = 0
        }
        selections[component - 1]?.unanswered += 1
        selections[component - 1]?.lastAsked = now
    }

    /// Puts the end of the consent off.
    mutating func consentWasGiven(_ component: Int, at now: Instant) {
        selections[component - 1]?.lastAnswer = now
        selections[component - 1]?.unanswered = 0
        selections[component - 1]?.probes = nil
        selections[component - 1]?.isSilent = false
        timers.cancel(.probe(component: component))
        armConsentExpiry(component, at: now)
    }

    /// Sets when the consent ends; at once for a pair that is selected long after its last check, which is then asked.
    private mutating func armConsentExpiry(_ component: Int, at now: Instant) {
        guard let expiry = configuration.consent?.expiry, let selection = selections[component - 1] else { return }
        let end = selection.lastAnswer.advanced(by: expiry)
        arm(.consentExpiry(component: component), after: now.duration(to: end), at: now)
    }

    /// Ends sending on the pair, unless the peer was hardly asked, as we slept ourselves: then it is asked first.
    ///
    /// A pair from before a restart, and one of a peer that renominates, is lost alone; else the session has failed.
    mutating func consentIsOver(_ component: Int, at now: Instant) -> [Effect] {
        guard isAlive, let selection = selections[component - 1], let consent = configuration.consent else {
            return []
        }
        guard selection.unanswered < configuration.probeAttempts else {
            let isCurrent = selection.generation.number == current.number
            return isCurrent && !peer.renominates ? fail(.consentLost) : losePath(component, at: now)
        }
        arm(.consentExpiry(component: component), after: consent.interval, at: now)
        return renewConsent(component, at: now)
    }
}
