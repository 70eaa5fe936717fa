import SIPLite
import SansIO
import SecureChannel
import SwiftICE

@testable import Swiftlet

/// Two calls, the two ends of one, without SIP's messages: commands arrive at the other side at once and in order.
struct CallPair {
    enum Side: Int, CaseIterable {
        case alice, bob
        var other: Side { self == .alice ? .bob : .alice }
        var address: IPAddress { .v4(0x0A00_0001 + UInt32(rawValue)) }
        /// Where the side's NAT is seen, which lets nothing in.
        var external: IPAddress { .v4(0xCB00_7101 + UInt32(rawValue)) }
        /// The side's relay.
        var relay: IPAddress { .v4(0xC633_6401 + UInt32(rawValue)) }
    }

    static let sip = SIPLite.CallID(rawValue: 1)
    static let flow = FlowID(rawValue: 1)
    static let peer = ShortID(decoding: [UInt8](repeating: 1, count: 20))!

    private(set) var now = Instant.zero
    private(set) var doings = [Doings([]), Doings([])]
    private(set) var alice: CallMachine
    private(set) var bob: CallMachine?
    /// Media sessions whose datagrams are lost.
    var cutSessions: Set<Int> = []
    /// Sides that cannot open sockets any more.
    var socketless: Set<Side> = []
    /// Whether both sides have a relay, and an address that others see.
    private var hasRelays = false
    /// Whether nothing gets from one side to the other but over relays.
    var isWalled = false
    /// The status new offers within the call are refused with; `nil` lets the other side answer.
    var refusal: Int?
    /// The descriptions that were sent, in order.
    private(set) var descriptions: [(from: Side, text: String)] = []
    private var traits: PeerTraits
    private var isAnswered = false
    private var queue: [(Side, (inout CallMachine, Instant) -> [CallMachine.Effect])] = []

    init(isSwiftlet: Bool = false, renominating: Bool = false, overRelays hasRelays: Bool = false) {
        traits = PeerTraits(isSwiftlet: isSwiftlet, renominates: renominating)
        (self.hasRelays, isWalled) = (hasRelays, hasRelays)
        alice = CallMachine(calling: Self.peer, setting: Self.setting(1), random: .seeded(1))
        input(.alice) { [traits] call, now in
            call.start(at: now) + call.reached("bob", on: Self.flow, as: Self.sip, traits: traits, at: now)
        }
    }

    /// A call in which both sides talk.
    static func talking(
        isSwiftlet: Bool = false, renominating: Bool = false, overRelays: Bool = false
    ) -> CallPair {
        var pair = CallPair(isSwiftlet: isSwiftlet, renominating: renominating, overRelays: overRelays)
        pair.input(.bob) { $0.answer(at: $1) }
        pair.run(for: .seconds(5))
        return pair
    }

    static func setting(_ seed: UInt64) -> CallMachine.Setting {
        var random = RandomSource.seeded(seed)
        let negotiation = MediaNegotiation(
            sizeLimit: 6_000, clock: WallClock(epochOffset: 0), random: &random, at: .zero)
        return CallMachine.Setting(ice: SwiftICE.Configuration(), negotiation: negotiation, profile: "")
    }

    func call(_ side: Side) -> CallMachine? { side == .alice ? alice : bob }

    subscript(side: Side) -> Doings { doings[side.rawValue] }

    /// Forgets what was done so far.
    mutating func forget() { (doings, descriptions) = ([Doings([]), Doings([])], []) }

    /// Gives one side an input, and both what follows from it.
    mutating func input(_ side: Side, _ body: @escaping (inout CallMachine, Instant) -> [CallMachine.Effect]) {
        queue.append((side, body))
        while !queue.isEmpty {
            let (side, body) = queue.removeFirst()
            switch side {
            case .alice: perform(body(&alice, now), by: .alice)
            case .bob: perform(bob?.apply { [now] in body(&$0, now) } ?? [], by: .bob)
            }
        }
    }

    mutating func run(for duration: Duration) {
        let end = now.advanced(by: duration)
        while let next = earlier(alice.deadline, bob?.deadline), next <= end {
            now = max(now, next)
            for side in Side.allCases { input(side) { $0.advance(to: $1) } }
        }
        now = end
    }

    private mutating func perform(_ effects: [CallMachine.Effect], by side: Side) {
        doings[side.rawValue].add(effects)
        for effect in effects {
            switch effect {
            case .gather(let session, let components): gather(session, components, side)
            case .network(.permit(let address, let base), let session):
                queue.append((side, { $0.found(.permitted(address, on: base), session: session, at: $1) }))
            case .network(.send(let bytes, let base, let peer), let session)
            where !cutSessions.contains(session) && carries(base, peer):
                let arrival = Int(peer.port) / 100
                queue.append((side.other, { $0.receive(bytes, session: arrival, on: peer, from: base, at: $1) }))
            case .sip(let command): perform(command, by: side)
            default: break
            }
        }
    }

    /// Whether a datagram arrives: over a relay at either end, or where there is no wall.
    private func carries(_ base: Endpoint, _ peer: Endpoint) -> Bool {
        let relays = Side.allCases.map(\.relay)
        let isExternal = Side.allCases.contains { $0.external == peer.address }
        return relays.contains(base.address) || relays.contains(peer.address) || !isWalled && !isExternal
    }

    private mutating func gather(_ session: Int, _ components: [Int], _ side: Side) {
        let bases = components.flatMap { component -> [ICEAgent.Finding] in
            let port = UInt16(session * 100 + component)
            let socket = ICEAgent.Base(
                component: component, endpoint: Endpoint(side.address, port: port), transport: .udp)
            let relay = ICEAgent.Base(
                component: component, endpoint: Endpoint(side.relay, port: port), transport: .udp, kind: .relayed)
            return [.base(socket)]
                + (hasRelays ? [.mapped(Endpoint(side.external, port: port), base: socket), .base(relay)] : [])
        }
        let opened = socketless.contains(side) ? [] : bases
        queue.append((side, { $0.gathered(opened, session: session, at: $1) }))
    }

    private mutating func perform(_ command: CallMachine.SIPCommand, by side: Side) {
        let sip = Self.sip
        func tell(_ side: Side, _ body: @escaping (inout CallMachine, Instant) -> [CallMachine.Effect]) {
            queue.append((side, body))
        }
        switch command {
        case .invite(_, _, _, let offer): invite(offer)
        case .ring(_, let description):
            tell(.alice) { call, now in
                call.ringing(sip)
                    + (description.isEmpty ? [] : call.answeredEarly(sip, description: description, at: now))
            }
        case .answer(_, let description):
            descriptions.append((side, String(decoding: description, as: UTF8.self)))
            let isFirst = !isAnswered
            isAnswered = true
            tell(side.other) {
                isFirst
                    ? $0.answered(sip, description: description, at: $1)
                    : $0.reanswered(sip, description: description, at: $1)
            }
            tell(side) { $0.confirmed(sip, at: $1) }
        case .decline(_, let status, let text) where !isAnswered:
            tell(side.other) { call, _ in
                call.explained(sip, text) + call.ended(sip, because: .rejected(status: status))
            }
            tell(side) { call, _ in call.ended(sip, because: .declined(status: status)) }
        case .decline(_, let status, _): tell(side.other) { $0.reofferFailed(sip, status: status, at: $1) }
        case .reinvite(_, let offer):
            descriptions.append((side, String(decoding: offer, as: UTF8.self)))
            if let refusal {
                tell(side) { $0.reofferFailed(sip, status: refusal, at: $1) }
            } else {
                tell(side.other) { $0.reoffered(sip, description: offer, at: $1) }
            }
        case .hangUp:
            tell(side) { call, _ in call.ended(sip, because: .hungUp) }
            tell(side.other) { call, _ in call.ended(sip, because: .remoteHungUp) }
        case .withdrawOffer, .message, .information: break
        }
    }

    private mutating func invite(_ offer: [UInt8]) {
        guard let offer = try? SIPLite.SessionDescription(decoding: offer) else { return }
        bob = CallMachine(
            from: Self.peer, leg: Self.sip, flow: Self.flow, traits: traits, offer: offer, setting: Self.setting(2),
            random: .seeded(2))
        queue.append((.bob, { $0.start(at: $1) }))
    }
}
