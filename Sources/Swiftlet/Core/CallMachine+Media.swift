internal import MediaRTP
internal import SIPLite
package import SansIO
package import SwiftICE

/// The sessions the media run over, and what of the media is heard.
extension CallMachine {
    /// How long the session before stays: longer than any packet is under way, and than the peer takes to move as well.
    static let formerTime = Duration.seconds(2)

    // MARK: - Sockets

    /// The driver opened sockets for a session; none where that was not possible.
    package mutating func gathered(
        _ findings: [ICEAgent.Finding], session number: Int, at now: Instant
    ) -> [Effect] {
        let effects = drive(number, at: now) { $0.gathered(findings, at: now) }
        guard number != next?.number else { return effects + nextGathered(at: now) }
        guard number == current.number, !isOver else { return effects }
        guard current.isReachable else { return effects + hangUpLegs() + end(.mediaUnreachable) }
        return effects + inviteWhereReady() + answerEarly(at: now) + answerWhereReady(at: now)
    }

    /// The driver found out more about the network of a session.
    package mutating func found(_ finding: ICEAgent.Finding, session: Int, at now: Instant) -> [Effect] {
        drive(session, at: now) { $0.found(finding, at: now) }
    }

    package mutating func receive(
        _ datagram: [UInt8], session: Int, on base: Endpoint, from peer: Endpoint, at now: Instant
    ) -> [Effect] {
        drive(session, at: now) { $0.receive(datagram, on: base, from: peer, at: now) }
    }

    // MARK: - Time

    package var deadline: Instant? {
        guard !isOver else { return nil }
        return [current.deadline, next?.deadline, former?.deadline].reduce(timers.deadline, earlier)
    }

    package mutating func advance(to now: Instant) -> [Effect] {
        var effects: [Effect] = []
        for number in [former?.number, current.number, next?.number].compactMap(\.self) {
            effects += drive(number, at: now) { $0.advance(to: now) }
        }
        while let timer = timers.popDue(at: now) {
            switch timer {
            case .releaseFormer: effects += releaseFormer()
            }
        }
        return effects
    }

    private var isOver: Bool {
        if case .ended = phase { true } else { false }
    }

    // MARK: - Sessions

    /// Looks for a path to the peer of an agreement over the first session.
    mutating func meet(_ agreement: MediaAgreement, as peer: PeerTraits, at now: Instant) -> [Effect] {
        drive(current.number, at: now) { $0.meet(agreement, as: peer, at: now) }
    }

    /// Begins the session that is to take over; who offers it controls it.
    mutating func beginNext(_ role: Role) -> [Effect] {
        let dropped = dropNext()
        lastSession += 1
        next = MediaSession(number: lastSession, role: role, configuration: setting.ice, random: random.split())
        return dropped + [.gather(session: lastSession, components: MediaLayout.audio)]
    }

    mutating func dropNext() -> [Effect] {
        guard let number = next?.number else { return [] }
        next = nil
        return [.release(session: number)]
    }

    /// Looks for a path over the next session, while the current one goes on.
    mutating func meetNext(_ agreement: MediaAgreement, at now: Instant) -> [Effect] {
        guard let number = next?.number, let traits = legs.first?.traits else { return [] }
        let expect: [Effect] = isRunning ? [.expectMedia(agreement.remoteKey)] : []
        return expect + drive(number, at: now) { $0.meet(agreement, as: traits, at: now) }
    }

    private mutating func drive(
        _ number: Int, at now: Instant, _ step: (inout MediaSession) -> [MediaSession.Effect]
    ) -> [Effect] {
        guard !isOver else { return [] }
        let effects: [MediaSession.Effect]
        switch Optional(number) {
        case current.number: effects = step(&current)
        case next?.number: effects = next?.apply(step) ?? []
        case former?.number: effects = former?.apply(step) ?? []
        default: return []
        }
        var translated: [Effect] = []
        // What a session wants after it ended the call is wanted no more.
        for effect in effects where !isOver {
            switch effect {
            case .network(let action): translated.append(.network(action, session: number))
            case .connected(let plan): translated += connected(plan, at: now)
            case .failed: translated += failed(number, at: now)
            case .ignored(let reason): translated.append(.ignored(.ice(reason)))
            }
        }
        return translated
    }

    /// A session has its paths. Before the call is answered nothing may be heard, so that the paths just wait.
    private mutating func connected(_ plan: MediaPlan, at now: Instant) -> [Effect] {
        guard case .talking = phase, plan.session != former?.number else { return [] }
        let moved = plan.session == next?.number ? moveToNext(at: now) : []
        isRunning = true
        let started: [Effect] = [
            .event(.mediaConnected(rtp: plan.rtp, rtcp: plan.rtcp, codec: plan.codec)), .startMedia(plan),
        ]
        return started + moved + directMedia() + settle(at: now)
    }

    private mutating func moveToNext(at now: Instant) -> [Effect] {
        guard let next else { return [] }
        let released = releaseFormer()
        former = current
        current = next
        self.next = nil
        timers.set(.releaseFormer, at: now.advanced(by: Self.formerTime))
        return released
    }

    private mutating func failed(_ number: Int, at now: Instant) -> [Effect] {
        switch Optional(number) {
        case former?.number: return releaseFormer()
        case next?.number: return nextFailed(at: now)
        default: return currentFailed()
        }
    }

    /// The next session has no path, or the peer wants none: the call goes on over the one in use, if there is one.
    mutating func nextFailed(at now: Instant) -> [Effect] {
        dropNext() + [.event(.changeFailed(.restart, status: nil))] + settle(at: now)
    }

    /// A path that is lost while another is being found is waited for; one that fails before the answer is looked for
    /// again after it.
    private mutating func currentFailed() -> [Effect] {
        switch phase {
        case .inviting, .alerting:
            current.part()
            return []
        case .talking: return isRenewing ? [] : hangUpLegs() + end(mediaLoss)
        case .ended: return []
        }
    }

    var mediaLoss: CallEnd { isRunning ? .connectionLost : .mediaUnreachable }

    private mutating func releaseFormer() -> [Effect] {
        timers.cancel(.releaseFormer)
        guard let number = former?.number else { return [] }
        former = nil
        return [.release(session: number)]
    }

    /// Gives every session's sockets back.
    mutating func releaseSessions() -> [Effect] {
        let effects = releaseFormer() + dropNext() + [.release(session: current.number)]
        isRunning = false
        return effects
    }

    // MARK: - What is heard

    /// Mutes our microphone, or ends that, and tells the peer.
    package mutating func mute(_ isMuted: Bool) -> [Effect] {
        guard isMuted != self.isMuted else { return [] }
        self.isMuted = isMuted
        return directMedia() + announceMute()
    }

    func announceMute() -> [Effect] {
        guard case .talking = phase, let leg = legs.first else { return [] }
        return [.sip(.information(MediaControl(.muted(isMuted)).body, in: leg.sip))]
    }

    /// Who holds is neither heard nor hears, from the moment it wants to until both sides agreed to go on.
    private var flow: MediaFlow {
        var flow = MediaFlow()
        let isHeld = isHolding || wish.isHolding
        flow.sends = direction.sends && !isHeld
        flow.plays = direction.receives && !isHeld
        flow.isMuted = isMuted
        return flow
    }

    /// Tells the media plane what is to be heard, where that changed.
    mutating func directMedia() -> [Effect] {
        let flow = flow
        guard isRunning, flow != toldFlow else { return [] }
        toldFlow = flow
        return [.directMedia(flow)]
    }
}
