internal import MediaRTP
package import SansIO
package import SecureChannel
internal import SwiftICE
package import Swiftlet

/// A whole node in a world: its core, and the duties of its driver in virtual time.
package final class NodeHost: Host {
    /// Something that happened to the node, and when.
    package struct Moment {
        /// When it happened.
        package let time: Instant
        /// What happened.
        package let event: NodeEvent
    }

    package let name: String
    package private(set) var addresses: [IPAddress]
    /// Its keys and certificates.
    package let identity: Identity
    /// What happened to the node, in order.
    package private(set) var moments: [Moment] = []
    /// What its core refused, as text.
    package private(set) var ignored: [String] = []
    /// How its calls sounded; kept beyond their end.
    package internal(set) var sound: [CallID: Sound] = [:]

    unowned let world: World
    let credentials: SecureChannel.Credentials
    private let configuration: NodeCore.Configuration
    var trust: Trust { configuration.trust }
    /// What the node decides with; a copy of it goes on alone.
    package internal(set) var core: NodeCore
    /// Sees each effect of the core before it is carried out, and says whether it is.
    package var filter: ((NodeCore.Effect) -> Bool)?
    /// How often the node was started, so that nothing of an earlier run reaches a later one.
    private var run = 0
    /// The requests that were treated, as a driver keeps them on disk.
    private var treatedRequests: [UInt64] = []
    /// The contacts, likewise.
    package private(set) var contacts = ContactList()
    var id = HostID(rawValue: 0)
    var random: RandomSource
    var sessions: [SessionID: SessionPorts] = [:]
    var channels: [LinkID: LinkChannel] = [:]
    var audio: [CallID: CallAudio] = [:]
    private var waiting: [NodeCore.Effect] = []
    private var isPerforming = false
    private var endedCalls: Set<CallID> = []
    private var work = 0

    /// How many refusals are kept.
    private static let ignoredLimit = 1000
    /// How long a piece of work takes on another thread.
    private static let workTime: ClosedRange<Duration> = .milliseconds(1)...(.milliseconds(6))

    /// What a call sounded like.
    package struct Sound {
        /// The counts of its media session.
        package let statistics: MediaStatistics
        /// The loudest block, as the mean of the squares of its samples.
        package let loudest: Double
    }

    /// Puts a node into a world; it makes itself known at once and waits for ``bootstrap(_:)``.
    package init(
        name: String, addresses: [IPAddress], identity: Identity, configuration: NodeCore.Configuration,
        showing credentials: SecureChannel.Credentials, in world: World
    ) {
        self.name = name
        self.addresses = addresses
        self.identity = identity
        self.world = world
        self.credentials = credentials
        self.configuration = configuration
        random = world.splitRandom()
        core = NodeCore(
            account: NodeCore.Account(identity, displayName: name), configuration: configuration, clock: world.clock,
            random: world.splitRandom())
        id = world.add(self)
        bindDHT()
        input { $0.publish(at: $1) }
    }

    private func bindDHT() {
        for endpoint in dhtEndpoints {
            _ = world.bind(endpoint) { [unowned self] bytes, source in
                input { $0.receiveDHT(bytes, from: source, at: $1) }
            }
        }
    }

    /// Gives the machine other addresses, or none for a while: what was bound to the former ones is gone, and nobody else
    /// is told.
    package func move(to addresses: [IPAddress]) {
        for endpoint in dhtEndpoints { world.unbind(endpoint) }
        world.move(id, from: self.addresses, to: addresses)
        self.addresses = addresses
        bindDHT()
        for session in sessions.keys.sorted(by: { "\($0)" < "\($1)" }) { follow(session) }
        input { $0.networkChanged(at: $1) }
    }

    /// Starts another run of the node, which knows what earlier ones kept; what happened is told from its beginning.
    func begin() {
        run += 1
        (work, moments, endedCalls, sound) = (0, [], [], [:])
        core = NodeCore(
            account: NodeCore.Account(identity, displayName: name), configuration: configuration, contacts: contacts,
            treatedRequests: treatedRequests, clock: world.clock, random: world.splitRandom())
        input { $0.publish(at: $1) }
    }

    /// Where the node's DHT is reached.
    package var dhtEndpoints: [Endpoint] { addresses.map { Endpoint($0, port: DHTHost.port) } }
    /// The node's number in its world.
    package var hostID: HostID { id }
    /// Whether the node should wait a moment before it ends.
    package var isBusy: Bool { core.isBusy }
    /// Whether the node holds nothing but its DHT.
    package var isIdle: Bool { core.isIdle && sessions.isEmpty && channels.isEmpty && audio.isEmpty && work == 0 }

    // MARK: - The user

    /// Joins the DHT through these nodes.
    package func bootstrap(_ contacts: [Endpoint]) { input { $0.bootstrap(contacts, at: $1) } }

    /// Calls an account.
    package func call(_ peer: AccountID) -> CallID {
        let (call, effects) = core.call(peer, at: world.now)
        perform(effects)
        return call
    }

    /// Answers a call.
    package func answer(_ call: CallID) { input { $0.answer(call, at: $1) } }

    /// Declines a call.
    package func decline(_ call: CallID, because text: String = "") {
        input { $0.decline(call, because: text, at: $1) }
    }

    /// Ends a call.
    package func hangUp(_ call: CallID) { input { $0.hangUp(call, at: $1) } }

    /// Sends a text within a call.
    package func send(_ text: String, in call: CallID) { input { $0.send(Message(text: text), in: call, at: $1) } }

    /// Mutes the microphone in a call, or ends that.
    package func mute(_ isMuted: Bool, in call: CallID) { input { $0.mute(isMuted, in: call, at: $1) } }

    /// Lets the peer of a call wait.
    package func hold(_ call: CallID) { input { $0.hold(call, at: $1) } }

    /// Goes on with a call that was held.
    package func resume(_ call: CallID) { input { $0.resume(call, at: $1) } }

    /// Moves a call's media to a new path.
    package func restartMedia(_ call: CallID) { input { $0.restartMedia(call, at: $1) } }

    /// Sends a text to an account.
    package func send(_ text: String, to peer: AccountID) -> MessageNumber {
        let (number, effects) = core.send(Message(text: text), to: peer, at: world.now)
        perform(effects)
        return number
    }

    /// Makes an account a contact.
    package func addContact(_ id: AccountID) { input { $0.addContact(id, at: $1) } }

    /// Makes an account no contact.
    package func removeContact(_ id: AccountID, banning isBanned: Bool) {
        input { $0.removeContact(id, banning: isBanned, at: $1) }
    }

    // MARK: - Sound

    /// Measures the sound of a call anew from now on.
    package func listenAnew(to call: CallID) {
        audio[call]?.longestGap = .zero
        audio[call]?.forgetLoudest()
    }

    /// The longest time between two packets of the peer, and the loudest block, since ``listenAnew(to:)``.
    package func heard(in call: CallID) -> (longestGap: Duration, loudest: Double, packets: Int)? {
        audio[call].map { ($0.longestGap, $0.loudest, $0.statistics.received) }
    }

    /// How many sessions of a call's media have sockets.
    package func mediaSessions(of call: CallID) -> Int {
        sessions.keys.count { session in
            if case .media(call, _) = session { true } else { false }
        }
    }

    // MARK: - Time

    package var deadline: Instant? { core.deadline }

    package func advance(to now: Instant) { input { $0.advance(to: $1) } }

    // MARK: - What happened

    /// What happened in a call, in order.
    package func events(of call: CallID) -> [CallEvent] {
        moments.compactMap { moment in
            guard case .call(call, let event) = moment.event else { return nil }
            return event
        }
    }

    /// Why a call is over; `nil` while it is not.
    package func end(of call: CallID) -> CallEnd? {
        for case .ended(let why) in events(of: call) { return why }
        return nil
    }

    /// When something first happened.
    package func time(of isWanted: (NodeEvent) -> Bool) -> Instant? { moments.first { isWanted($0.event) }?.time }

    /// The calls that came in, in order.
    package var incomingCalls: [CallID] {
        moments.compactMap { moment in
            guard case .incomingCall(let call, _, _) = moment.event else { return nil }
            return call
        }
    }

    // MARK: - Effects

    func input(_ body: (inout NodeCore, Instant) -> [NodeCore.Effect]) { perform(body(&core, world.now)) }

    /// Carries out effects in the order they were wanted: those wanted meanwhile wait for the ones before them.
    private func perform(_ effects: [NodeCore.Effect]) {
        waiting += effects
        guard !isPerforming else { return }
        isPerforming = true
        var next = 0
        while next < waiting.count {
            perform(waiting[next])
            next += 1
        }
        waiting.removeAll(keepingCapacity: true)
        isPerforming = false
        world.attend(to: id)
    }

    private func perform(_ effect: NodeCore.Effect) {
        guard filter?(effect) ?? true else { return }
        switch effect {
        case .sendDHT(let bytes, let target): sendDHT(bytes, to: target)
        case .gather(let session, let components): gather(session, components: components)
        case .network(let session, let action): perform(action, of: session)
        case .release(let session): release(session)
        case .secure(let link, let role, let transport, let peer):
            secure(link, as: role, over: transport, expecting: peer)
        case .secureInput(let link, let bytes): channels[link]?.receive(bytes)
        case .secureSend(let link, let bytes): channels[link]?.send(bytes)
        case .secureClose(let link): closeChannel(link)
        case .work(let id, let piece): start(piece, as: id)
        case .startMedia(let call, let plan): startAudio(plan, of: call)
        case .expectMedia(let call, let key): audio[call]?.expect(key)
        case .directMedia(let call, let flow): audio[call]?.direct(flow)
        case .stopMedia(let call): stopAudio(of: call)
        case .remember(let request): treatedRequests.append(request)
        case .saveContacts(let list): contacts = list
        case .event(let event): tell(event)
        case .ignored(let reason): keep("\(reason)")
        }
    }

    private func keep(_ reason: String) {
        if ignored.count < Self.ignoredLimit { ignored.append(reason) }
        world.note("ignored \(reason)", by: name)
    }

    func tell(_ event: NodeEvent) {
        moments.append(Moment(time: world.now, event: event))
        world.note("\(event)", by: name)
        guard case .call(let call, let event) = event else { return }
        if endedCalls.contains(call) { world.violate("\(name): \(event) after the end of call \(call.rawValue)") }
        if case .ended = event { endedCalls.insert(call) }
    }

    /// Whether a call ended, after which nothing may be wanted for it.
    func hasEnded(_ call: CallID) -> Bool { endedCalls.contains(call) }

    private func sendDHT(_ bytes: [UInt8], to target: Endpoint) {
        guard let source = dhtEndpoints.first(where: { $0.address.family == target.address.family }) else {
            return input { $0.sendDHTFailed(to: target, at: $1) }
        }
        world.send(bytes, from: source, to: target)
    }

    private func start(_ piece: Work, as workID: WorkID) {
        let result = piece.perform(as: identity)
        work += 1
        world.schedule(after: drawWorkTime()) { [weak self, run] in
            guard self?.run == run else { return }
            self?.work -= 1
            self?.input { $0.worked(workID, result, at: $1) }
        }
    }

    func drawWorkTime() -> Duration { random.duration(in: Self.workTime) }
}
