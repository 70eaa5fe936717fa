internal import MediaRTP
internal import SIPLite
internal import SansIO
internal import SwiftICE

/// One ICE session of a call's media, the key that belongs to it, and what was agreed on it.
///
/// A call has one as a rule, and two while it moves from one path to another: sockets, credentials and keys of the new
/// one are its own.
struct MediaSession: Sendable {
    enum Effect: Sendable {
        case network(NetworkAction)
        /// Every component has its pair.
        case connected(MediaPlan)
        /// No path was found, or the one in use was lost.
        case failed
        case ignored(ICEAgent.Reason)
    }

    /// Its number within the call.
    let number: Int
    /// What we protect our audio with.
    let key: SRTPKey
    /// Whether its sockets are open.
    private(set) var isGathered = false
    /// What was agreed with the peer whose path is looked for.
    private(set) var agreement: MediaAgreement?
    /// The paths, once found.
    private(set) var plan: MediaPlan?
    /// Whether no path was found, or it was lost.
    private(set) var hasFailed = false
    private var agent: ICEAgent
    /// The session before it met a peer, for the case that another one takes the call.
    private var unmet: ICEAgent
    private var random: RandomSource
    private var protectsControl = false
    /// When the search for another path ends, while one is lost.
    private var repairEnd: Instant?
    /// How long another path is looked for once one is lost: it is found in a moment, or the peer is gone.
    static let repairTime = Duration.seconds(10)

    init(number: Int, role: Role, configuration: SwiftICE.Configuration, random: RandomSource) {
        self.number = number
        self.random = random
        key = SRTPKey(random: &self.random)
        agent = ICEAgent(
            configuration: configuration, role: role, components: MediaLayout.audio.count, random: self.random.split())
        unmet = agent
    }

    /// Runs one step in place; for steps that are chosen by the caller.
    mutating func apply(_ step: (inout MediaSession) -> [Effect]) -> [Effect] { step(&self) }

    /// Whether there is any address to be reached at.
    var isReachable: Bool { !agent.localCandidates.isEmpty }

    /// What a description says of this session; `renewing` invites the peer to look for a path to it.
    func statement(_ direction: MediaDirection, version: UInt64, renewing: Bool) -> MediaNegotiation.Statement {
        MediaNegotiation.Statement(
            version: version, direction: direction, key: key, credentials: renewing ? agent.localCredentials : nil,
            candidates: agent.localCandidates)
    }

    /// The driver opened the sockets.
    mutating func gathered(_ findings: [ICEAgent.Finding], at now: Instant) -> [Effect] {
        guard !isGathered else { return [] }
        isGathered = true
        return findings.flatMap { found($0, at: now) }
    }

    /// The driver found out something about the network.
    mutating func found(_ finding: ICEAgent.Finding, at now: Instant) -> [Effect] {
        guard isGathered else { return [] }
        switch finding {
        // A session that has met nobody does nothing yet.
        case .base, .mapped, .seen, .seenFromPort, .gone: _ = unmet.take(finding, at: now)
        case .permitted, .refused: break
        }
        return translate(agent.take(finding, at: now), at: now)
    }

    /// Looks for a path to the peer of an agreement; what is found already, or looked for, stays.
    mutating func meet(_ agreement: MediaAgreement, as peer: PeerTraits, at now: Instant) -> [Effect] {
        guard let remote = agreement.remote else { return [] }
        if self.agreement?.remote?.credentials == remote.credentials, !hasFailed {
            return plan.map { [.connected($0)] } ?? []
        }
        part()
        self.agreement = agreement
        protectsControl = peer.isSwiftlet
        return translate(agent.start(remote: remote, peer: peer.iceOptions, at: now), at: now)
    }

    /// Forgets the peer, as if none had been met; sockets and credentials stay.
    mutating func part() {
        guard agreement != nil else { return }
        (agreement, plan, hasFailed, repairEnd) = (nil, nil, false, nil)
        agent = unmet.meetingAnother(random: random.split())
    }

    mutating func receive(
        _ datagram: [UInt8], on base: Endpoint, from peer: Endpoint, at now: Instant
    ) -> [Effect] {
        translate(agent.receive(datagram.span, on: base, from: peer, at: now), at: now)
    }

    var deadline: Instant? { earlier(agent.deadline, repairEnd) }

    mutating func advance(to now: Instant) -> [Effect] {
        let effects = translate(agent.advance(to: now), at: now)
        guard let end = repairEnd, end <= now else { return effects }
        return effects + fail()
    }

    private mutating func fail() -> [Effect] {
        (hasFailed, repairEnd) = (true, nil)
        return [.failed]
    }

    private mutating func translate(_ effects: [ICEAgent.Effect], at now: Instant) -> [Effect] {
        var translated: [Effect] = []
        for effect in effects {
            switch effect {
            case .send(let bytes, let base, let peer): translated.append(.network(.send(bytes, from: base, to: peer)))
            case .completed: translated += connected()
            case .selected(let pair, _):
                translated += NetworkAction.preferring(pair).map { .network($0) }
                // A better path was found, or the peer, or a NAT, moved to another address.
                if plan != nil { translated += connected() }
            case .permit(let address, let base): translated.append(.network(.permit(address, on: base)))
            case .lost: if repairEnd == nil { repairEnd = now.advanced(by: Self.repairTime) }
            case .failed: translated += fail()
            case .ignored(let reason): translated.append(.ignored(reason))
            case .received, .connect, .write, .disconnect, .resolve, .openSockets, .closeSockets: break
            }
        }
        return translated
    }

    private mutating func connected() -> [Effect] {
        guard let agreement, let rtp = agent.selectedPair(component: MediaLayout.rtp),
            let rtcp = agent.selectedPair(component: MediaLayout.rtcp)
        else { return [] }
        let plan = MediaPlan(
            session: number, rtp: MediaPath(rtp), rtcp: MediaPath(rtcp), payloadType: agreement.payloadType,
            codec: agreement.codec, localKey: agreement.localKey, remoteKey: agreement.remoteKey,
            protectsControl: protectsControl)
        (self.plan, repairEnd) = (plan, nil)
        return [.connected(plan)]
    }
}
