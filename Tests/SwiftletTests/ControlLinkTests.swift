import SansIO
import SwiftICE
import Testing

@testable import Swiftlet

/// Two control links over a wire without delay, that carries datagrams and no connections. Clients speak first.
struct LinkPair {
    var caller: ControlLink
    var callee: ControlLink?
    var now = Instant.zero
    /// What each side wanted, but for packets.
    var callerWants: [ControlLink.Effect] = []
    var calleeWants: [ControlLink.Effect] = []
    private var calleeRandom = RandomSource.seeded(2)
    static let callerAddress = Endpoint(.v4(0x0A00_0001), port: 5000)
    static let calleeAddress = Endpoint(.v4(0x0A00_0002), port: 6000)

    /// How a record of DTLS begins.
    static let record: [UInt8] = [22, 254, 253, 0]
    let dialect: Dialect

    init(over transports: [SessionTransport], in dialect: Dialect = .direct, guessing guess: Dialect? = nil) {
        self.dialect = dialect
        var random = RandomSource.seeded(1)
        caller = ControlLink(
            asking: guess ?? dialect, over: transports, configuration: SwiftICE.Configuration(), timing: .init(),
            random: &random)
    }

    /// Exchanges the descriptions.
    mutating func introduce(over transports: [SessionTransport]) throws {
        let request = try #require(start())
        var answering = ControlLink(
            answering: request, in: dialect, over: transports, configuration: SwiftICE.Configuration(),
            timing: .init(), random: &calleeRandom)
        let started = answering.start(at: now)
        callee = answering
        take(started, fromCaller: false)
        for transport in transports { gatherCallee(transport) }
        let reply = try #require(calleeWants.description)
        take(caller.replied(reply, in: dialect, at: now), fromCaller: true)
    }

    /// Gathers and describes the caller's side.
    private mutating func start() -> SessionOffer? {
        let started = caller.start(at: now)
        take(started, fromCaller: true)
        for case .gather(let transport) in started {
            let port = transport == .udp ? Self.callerAddress : Self.callerAddress.with(port: 5001)
            take(caller.gathered([.socket(1, port, transport)], for: transport, at: now), fromCaller: true)
        }
        take(caller.allowDescription(at: now), fromCaller: true)
        return callerWants.description
    }

    private mutating func gatherCallee(_ transport: SessionTransport) {
        let port = transport == .udp ? Self.calleeAddress : Self.calleeAddress.with(port: 6001)
        take(callee?.gathered([.socket(1, port, transport)], for: transport, at: now) ?? [], fromCaller: false)
    }

    /// Lets time pass.
    mutating func run(for duration: Duration) {
        let end = now.advanced(by: duration)
        while let next = earlier(caller.deadline, callee?.deadline), next <= end {
            now = max(now, next)
            take(caller.advance(to: now), fromCaller: true)
            take(callee?.advance(to: now) ?? [], fromCaller: false)
        }
        now = end
    }

    /// The client's first record.
    private mutating func speak(fromCaller: Bool) {
        let effects =
            fromCaller ? caller.transmit(Self.record, at: now) : callee?.transmit(Self.record, at: now) ?? []
        take(effects, fromCaller: fromCaller)
    }

    mutating func take(_ effects: [ControlLink.Effect], fromCaller: Bool) {
        for effect in effects {
            guard case .network(.udp, .send(let bytes, let base, let target)) = effect else {
                if fromCaller { callerWants.append(effect) } else { calleeWants.append(effect) }
                if case .secure(.client, _, _) = effect { speak(fromCaller: fromCaller) }
                continue
            }
            if fromCaller, target == Self.calleeAddress {
                take(callee?.receive(bytes, on: target, from: base, at: now) ?? [], fromCaller: false)
            } else if !fromCaller, target == Self.callerAddress {
                take(caller.receive(bytes, on: target, from: base, at: now), fromCaller: true)
            }
        }
    }
}

extension [ControlLink.Effect] {
    var description: SessionOffer? {
        for case .describe(let sessions) in self { return sessions }
        return nil
    }

    var failure: ControlLink.Failure? {
        for case .failed(let why) in self { return why }
        return nil
    }

    /// The role and transport that were to be secured.
    var secured: (ControlLink.SecureRole, SessionTransport)? {
        for case .secure(let role, let transport, _) in self { return (role, transport) }
        return nil
    }

    var inputs: [[UInt8]] {
        compactMap { effect in
            guard case .secureInput(let bytes) = effect else { return nil }
            return bytes
        }
    }
}

@Suite struct ControlLinkTests {
    private let base = LinkPair.callerAddress
    private let record = LinkPair.record

    @Test func aLinkDescribesItselfOnceEverythingIsKnown() {
        var link = LinkPair(over: [.tcp, .udp]).caller
        #expect(link.start(at: .zero) == [.gather(.tcp), .gather(.udp)])
        #expect(link.gathered([.socket(1, base)], for: .udp, at: .zero).description == nil)
        #expect(
            link.gathered([.socket(1, base, .tcp)], for: .tcp, at: .zero).description == nil,
            "the peer's key is not known")
        #expect(link.allowDescription(at: .zero).description != nil)
        #expect(link.allowDescription(at: .zero).isEmpty)
    }

    @Test func aLinkWithoutAddressesHasNoPath() {
        var link = LinkPair(over: [.udp]).caller
        _ = link.start(at: .zero)
        _ = link.allowDescription(at: .zero)
        let effects = link.gathered([], for: .udp, at: .zero)
        #expect(effects.failure == .noPath)
        #expect(effects.contains(.release(.udp)))
        #expect(link.deadline == nil)
    }

    @Test func aLinkWithoutTransportsHasNoPath() {
        var link = LinkPair(over: []).caller
        #expect(link.start(at: .zero).failure == .noPath)
    }

    @Test func silenceIsNoReply() {
        var link = LinkPair(over: [.udp]).caller
        _ = link.start(at: .zero)
        _ = link.allowDescription(at: .zero)
        _ = link.gathered([.socket(1, base)], for: .udp, at: .zero)
        var effects: [ControlLink.Effect] = []
        var now = Instant.zero
        while let next = link.deadline {
            now = next
            effects += link.advance(to: now)
        }
        #expect(effects.failure == .noReply)
        #expect(effects.contains(.release(.udp)))
        #expect(now == .zero.advanced(by: .seconds(30)))
    }

    @Test(arguments: Dialect.allCases, Dialect.allCases) func bothSidesOfADatagramLinkAgreeWhoIsClient(
        dialect: Dialect, guess: Dialect
    ) throws {
        var pair = LinkPair(over: [.udp], in: dialect, guessing: guess)
        try pair.introduce(over: [.udp])
        pair.run(for: .seconds(5))
        let (callers, callees) = (try #require(pair.callerWants.secured), try #require(pair.calleeWants.secured))
        #expect(callers.1 == .udp && callees.1 == .udp)
        #expect(callers.0 != callees.0)
        // After a wrong guess, checks that overtake the reply may settle the roles the other way.
        guard guess == dialect else { return }
        // The requester controls in the first flow, the answering side in the other.
        #expect(callers.0 == (dialect == .direct ? .client : .server))
    }

    @Test func twoSwiftletsDoNotWaitLongForConnections() throws {
        var pair = LinkPair(over: [.tcp, .udp], in: .multiplexed)
        try pair.introduce(over: [.tcp, .udp])
        pair.run(for: .milliseconds(200))
        #expect(pair.calleeWants.secured == nil)
        pair.run(for: .milliseconds(800))
        #expect(pair.calleeWants.secured?.0 == .client && pair.calleeWants.secured?.1 == .udp)
        #expect(pair.callerWants.secured?.0 == .server && pair.callerWants.secured?.1 == .udp)
    }

    @Test func datagramsAreTakenWhereConnectionsFail() throws {
        var pair = LinkPair(over: [.tcp, .udp])
        try pair.introduce(over: [.tcp, .udp])
        pair.run(for: .milliseconds(1000))
        #expect(pair.callerWants.secured == nil, "TCP still has time")
        pair.run(for: .seconds(4))
        #expect(pair.callerWants.secured?.1 == .udp)
        #expect(pair.calleeWants.secured?.1 == .udp)
    }

    @Test func securingGivesTheOtherSessionBack() throws {
        var pair = LinkPair(over: [.tcp, .udp])
        try pair.introduce(over: [.tcp, .udp])
        pair.run(for: .seconds(5))
        let effects = pair.caller.secured(at: pair.now)
        #expect(effects.last == .release(.tcp))
        #expect(!effects.contains(.release(.udp)))
        #expect(pair.caller.close().contains(.release(.udp)))
    }

    @Test func whatIsNotSecuredInTimeIsGivenUp() throws {
        var pair = LinkPair(over: [.udp])
        try pair.introduce(over: [.udp])
        pair.run(for: .seconds(61))
        #expect(pair.callerWants.failure == .timedOut)
        #expect(pair.calleeWants.failure == .timedOut)
    }

    @Test func aPeerThatOffersNothingWeHaveLeavesNoPath() throws {
        var pair = LinkPair(over: [.udp])
        try pair.introduce(over: [.udp])
        var random = RandomSource.seeded(3)
        var link = ControlLink(
            answering: SessionOffer(udp: nil, tcp: nil), in: .direct, over: [.tcp, .udp],
            configuration: SwiftICE.Configuration(), timing: .init(), random: &random)
        #expect(link.start(at: .zero).failure == .noPath)
    }

    @Test func aRecordOfThePeerDecidesForDatagrams() throws {
        var pair = LinkPair(over: [.tcp, .udp])
        try pair.introduce(over: [.tcp, .udp])
        pair.run(for: .milliseconds(500))
        #expect(pair.calleeWants.secured == nil)
        let effects =
            pair.callee?.receive(record, on: LinkPair.calleeAddress, from: LinkPair.callerAddress, at: pair.now) ?? []
        #expect(effects.secured?.0 == .server)
        #expect(effects.secured?.1 == .udp)
        #expect(effects.inputs == [record])
    }

    @Test func aRecordOfAStrangerDecidesNothing() throws {
        var pair = LinkPair(over: [.tcp, .udp])
        try pair.introduce(over: [.tcp, .udp])
        pair.run(for: .milliseconds(500))
        let stranger = Endpoint(.v4(0x0B00_0001), port: 666)
        for _ in 0..<20 {
            let effects = pair.callee?.receive(record, on: LinkPair.calleeAddress, from: stranger, at: pair.now)
            #expect(effects == [.ignored(.stray)])
        }
        #expect(pair.calleeWants.secured == nil)
        pair.run(for: .seconds(5))
        #expect(pair.calleeWants.inputs == [record], "the client's own")
        #expect(pair.calleeWants.secured?.1 == .udp)
    }

    @Test func closingIsDoneOnce() throws {
        var pair = LinkPair(over: [.tcp, .udp])
        try pair.introduce(over: [.tcp, .udp])
        let effects = pair.caller.close()
        #expect(effects.contains(.release(.tcp)) && effects.contains(.release(.udp)))
        #expect(pair.caller.close().isEmpty)
        #expect(pair.caller.deadline == nil)
        #expect(pair.caller.replied(SessionOffer(udp: nil, tcp: nil), in: .direct, at: pair.now).isEmpty)
        #expect(pair.caller.transmit([1], at: pair.now).isEmpty)
    }
}
