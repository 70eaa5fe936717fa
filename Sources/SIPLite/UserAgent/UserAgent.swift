public import SansIO

/// A SIP user agent for calls over authenticated flows: RFC 3261 transactions and dialogs with the habits of Jami peers.
///
/// The embedder opens flows, gives the agent what arrives on them, and carries out the effects in order. Names of
/// outgoing calls and messages are the embedder's; incoming calls get theirs from the agent.
///
/// A call we make goes `invite` → `.trying` → `.ringing` → `.answered` → `hangUp` or `.ended`. A call made to us goes
/// `.incoming` → `ring` → `answer` → `.confirmed`, or → `decline`. Every call that began ends with exactly one `.ended`,
/// and every message sent has exactly one `.messageOutcome`.
public struct UserAgent: Machine {
    /// An open flow.
    struct OpenFlow: Sendable {
        let description: Flow
        var framer: StreamFramer
        var transactions = 0
    }

    /// A request of ours.
    struct Client: Sendable {
        let purpose: Purpose
        var machine: any ClientTransaction
        let serial: UInt64
        /// Whether a final response came; what follows only absorbs its repetitions.
        var isAnswered = false
        /// What acknowledged a success, and the tag of who gave it; repeated with each repetition of the success.
        var acknowledged: (tag: String, bytes: [UInt8])?
    }

    /// Why we made a request.
    enum Purpose: Hashable, Sendable {
        case invite(CallID)
        case reinvite(CallID)
        case cancel
        case bye
        case message(MessageID, in: CallID?)
        case information(CallID)
    }

    /// A request of the peer.
    struct Server: Sendable {
        var machine: any ServerTransaction
        let call: CallID?
    }

    /// What the agent waits for.
    enum Timer: Hashable, Sendable {
        case client(ClientKey)
        case server(ServerKey)
        /// A success of ours is due for repetition.
        case answer(CallID)
        /// Ringing, or being rung, took too long.
        case patience(CallID)
        /// A cancelled invitation was never finished by the peer.
        case cancelled(CallID)
        /// An offer that collided with the peer's may be made again.
        case retry(CallID)
        /// A message in a framer is overdue.
        case unfinished(FlowID)
    }

    let configuration: Configuration
    let policy: Message.Policy
    var random: RandomSource
    var flows: [FlowID: OpenFlow] = [:]
    var calls: [CallID: Call] = [:]
    var dialogs: [Dialog.Key: CallID] = [:]
    var clients: [ClientKey: Client] = [:]
    var servers: [ServerKey: Server] = [:]
    var timers = TimerTable<Timer>()
    var nextIncoming: UInt64 = 0
    var nextSerial: UInt64 = 0

    /// Creates an agent without flows.
    public init(configuration: Configuration = Configuration(), random: RandomSource) {
        self.configuration = configuration
        self.random = random
        policy = Message.Policy(
            allow: configuration.allow, supported: configuration.supported, limits: configuration.limits)
    }

    /// Whether a request of ours has no final response yet.
    public var awaitsResponses: Bool { clients.values.contains { !$0.isAnswered } }

    /// When ``advance(to:)`` next has something to do.
    public var deadline: Instant? { timers.deadline }

    /// Opens a flow. A flow of that name must not be open.
    public mutating func open(_ flow: FlowID, _ description: Flow) -> [Effect] {
        guard flows[flow] == nil else { return [.ignored(.unusableFlow(flow))] }
        guard flows.count < configuration.maximumFlows else {
            return [.ignored(.overLimit(.flows, limit: configuration.maximumFlows))]
        }
        flows[flow] = OpenFlow(
            description: description,
            framer: StreamFramer(limits: configuration.limits, mayLose: !description.isReliable))
        return []
    }

    /// Tells that pieces are missing between what a flow delivered and what it will: an unfinished message is given up.
    public mutating func interrupt(_ flow: FlowID) { flows[flow]?.framer.interrupt() }

    /// Tells that a flow's channel is gone. Its calls end with ``EndReason/flowLost``, its messages have no outcome.
    public mutating func close(_ flow: FlowID, at now: Instant) -> [Effect] {
        guard flows.removeValue(forKey: flow) != nil else { return [.ignored(.unknownFlow(flow))] }
        timers.cancel(.unfinished(flow))
        var effects: [Effect] = []
        for id in calls.keys.sorted() where calls[id]?.flow == flow { effects += end(id, because: .flowLost) }
        let lost = clients.filter { $0.key.flow == flow }.sorted { $0.value.serial < $1.value.serial }
        for (key, client) in lost {
            forget(key)
            guard case .message(let message, _) = client.purpose, !client.isAnswered else { continue }
            effects.append(.messageOutcome(message, status: nil))
        }
        for key in servers.keys.filter({ $0.flow == flow }) { forget(key) }
        return effects
    }

    /// Fires every timer due at or before `now`.
    public mutating func advance(to now: Instant) -> [Effect] {
        var effects: [Effect] = []
        while let timer = timers.popDue(at: now) {
            switch timer {
            case .client(let key): effects += drive(key, at: now) { $0.advance(to: now) }
            case .server(let key): effects += drive(key, at: now) { $0.advance(to: now) }
            case .answer(let id): effects += repeatAnswer(of: id, at: now)
            case .patience(let id): effects += losePatience(with: id, at: now)
            case .cancelled(let id): effects += giveUpCancelling(id)
            case .retry(let id): effects += retryOffer(in: id, at: now)
            case .unfinished(let flow): effects.append(.abandon(flow))
            }
        }
        return effects
    }
}
