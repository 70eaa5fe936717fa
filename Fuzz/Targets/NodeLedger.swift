import SansIO
import SecureChannel
import SwiftDHT
import SwiftICE
import Swiftlet

/// What a node holds by its own effects, as its driver would see it; throws where an effect breaks a rule.
struct NodeLedger: Sendable {
    /// A channel of TLS or DTLS between the node and somebody.
    struct Channel: Sendable {
        let link: LinkID
        let transport: SessionTransport
        /// Whom the node expects there.
        let account: AccountID?
        var isEstablished = false
    }

    /// A check of the node that was not answered.
    struct Check: Sendable {
        let session: SessionID
        let base: Endpoint
        let peer: Endpoint
        let bytes: [UInt8]
    }

    /// Sessions that were gathered and not released.
    private(set) var open: [SessionID] = []
    /// Those of them whose sockets are not open yet, and with how many components.
    var wanted: [(session: SessionID, components: [Int])] = []
    /// The last checks.
    private(set) var checks: [Check] = []
    private(set) var connections: [(session: SessionID, id: ICEAgent.ConnectionID)] = []
    private(set) var channels: [Channel] = []
    /// Channels whose good-bye is to be told.
    var closing: [LinkID] = []
    /// Calls that began and did not end.
    private(set) var calls: [CallID] = []
    private var ended: [CallID] = []
    private var running: [CallID] = []
    /// Work that is not done.
    var work: [WorkID] = []
    /// What the node calls itself in the sessions it described.
    private(set) var credentials: [SwiftICE.Credentials] = []
    /// What it wrote to the peers of its links since this was last emptied.
    var written: [(link: LinkID, bytes: [UInt8])] = []
    /// Accounts whose calls ring, in order.
    private(set) var callers: [AccountID] = []

    private static let memory = 8

    /// The channel of a link.
    func channel(of link: LinkID) -> Channel? { channels.first { $0.link == link } }

    /// TLS or DTLS of a link is established.
    mutating func establish(_ link: LinkID) {
        guard let index = channels.firstIndex(where: { $0.link == link }) else { return }
        channels[index].isEstablished = true
    }

    /// The user made a call.
    mutating func begin(_ call: CallID) { calls.append(call) }

    // MARK: Effects

    mutating func take(_ effect: NodeCore.Effect) throws(Finding) {
        switch effect {
        case .gather(let session, let components): try gather(session, components)
        case .release(let session):
            try require(open.contains(session), "only open sessions are released, and once")
            open.removeAll { $0 == session }
            wanted.removeAll { $0.session == session }
            checks.removeAll { $0.session == session }
            connections.removeAll { $0.session == session }
        case .network(let session, let action):
            try require(open.contains(session), "only open sessions are used")
            take(action, of: session)
        case .secure(let link, _, let transport, let peer):
            try require(channel(of: link) == nil, "a link is secured once")
            let account: AccountID? = if case .device(_, let account) = peer { account } else { nil }
            channels.append(Channel(link: link, transport: transport, account: account))
        case .secureInput(let link, _): try require(channel(of: link) != nil, "only channels there are take input")
        case .secureSend(let link, let bytes):
            try require(channel(of: link)?.isEstablished == true, "only established channels carry data")
            written.append((link, bytes))
        case .secureClose(let link):
            try require(channel(of: link) != nil, "channels are closed once")
            channels.removeAll { $0.link == link }
            closing.append(link)
        case .work(let id, let piece): begin(piece, as: id)
        case .startMedia(let call, _):
            try require(calls.contains(call), "media belong to calls that go on")
            if !running.contains(call) { running.append(call) }
        case .expectMedia(let call, _), .directMedia(let call, _):
            try require(running.contains(call), "only media that run are directed")
        case .stopMedia(let call):
            try require(running.contains(call), "only media that run are stopped")
            running.removeAll { $0 == call }
        case .event(let event): try take(event)
        case .sendDHT, .remember, .saveContacts, .ignored: break
        }
    }

    private mutating func gather(_ session: SessionID, _ components: [Int]) throws(Finding) {
        try require(!open.contains(session), "sessions are new")
        if case .media(let call, _) = session {
            try require(!ended.contains(call), "a call that ended wants no sockets")
        }
        open.append(session)
        wanted.append((session, components))
    }

    private mutating func take(_ action: NetworkAction, of session: SessionID) {
        switch action {
        case .send(let bytes, let base, let peer):
            guard let message = try? SwiftICE.Message(decoding: bytes), message.type.messageClass == .request else {
                return
            }
            let check = Check(session: session, base: base, peer: peer, bytes: bytes)
            checks = Array((checks + [check]).suffix(Self.memory))
        case .connect(let id, _, _): connections = Array((connections + [(session, id)]).suffix(Self.memory))
        case .write(_, let id):
            guard !connections.contains(where: { $0.session == session && $0.id == id }) else { return }
            connections = Array((connections + [(session, id)]).suffix(Self.memory))
        case .disconnect(let id): connections.removeAll { $0.session == session && $0.id == id }
        case .permit, .prefer: break
        }
    }

    private mutating func begin(_ piece: Work, as id: WorkID) {
        work.append(id)
        guard case .seal(let body, _, _) = piece, let request = try? ConnectionRequest(decoding: body.data) else {
            return
        }
        let own = [request.session.credentials] + (request.extension?.udp.map { [$0.credentials] } ?? [])
        credentials = Array((credentials + own).suffix(Self.memory))
    }

    private mutating func take(_ event: NodeEvent) throws(Finding) {
        switch event {
        case .incomingCall(let call, let caller, _):
            try require(!calls.contains(call) && !ended.contains(call), "calls that come in are new")
            calls.append(call)
            callers.append(caller)
        case .call(let call, .ended):
            try require(calls.contains(call), "only calls that began end, and once")
            try require(!running.contains(call), "a call that ended has no media")
            calls.removeAll { $0 == call }
            ended.append(call)
        case .call(let call, _): try require(calls.contains(call), "nothing happens in a call that is not there")
        default: break
        }
    }

    /// Whether nothing but work is left.
    var isEmpty: Bool { open.isEmpty && channels.isEmpty && calls.isEmpty && running.isEmpty }

    /// What is left, for people.
    var description: String { "sessions \(open), channels \(channels.map(\.link)), calls \(calls), media \(running)" }
}
