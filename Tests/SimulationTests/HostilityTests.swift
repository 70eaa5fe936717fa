import MediaRTP
import SansIO
import SecureChannel
import Simulator
import SwiftDHT
import Swiftlet
import TestIdentities
import Testing

/// What strangers and impostors may do to a call: nothing.
@Suite struct HostilityTests {
    @Test(arguments: [[SessionTransport.tcp], [.udp]]) func anotherCertificateIsRefused(
        transports: [SessionTransport]
    ) throws {
        let parties = try Parties(
            Scenario.Setting(seed: 301), over: transports,
            bobShows: SecureChannel.Credentials(Identities.mallory))
        let call = parties.alice.call(parties.bob.identity.accountID)
        try parties.scenario.wait(for: "end", within: .seconds(60)) { parties.alice.end(of: call) != nil }
        #expect(parties.alice.end(of: call) == .untrusted)
        #expect(parties.bob.incomingCalls.isEmpty)
        #expect(!parties.alice.events(of: call).contains(.invited))
        try parties.scenario.waitUntilIdle(within: .seconds(90))
    }

    @Test(arguments: [[SessionTransport.tcp], [.udp]]) func anotherCallerIsRefused(
        transports: [SessionTransport]
    ) throws {
        let parties = try Parties(
            Scenario.Setting(seed: 302), over: transports,
            bobShows: SecureChannel.Credentials(Identities.mallory))
        let call = parties.bob.call(parties.alice.identity.accountID)
        try parties.scenario.wait(for: "end", within: .seconds(90)) { parties.bob.end(of: call) != nil }
        #expect(parties.alice.incomingCalls.isEmpty)
        try parties.scenario.waitUntilIdle(within: .seconds(90))
    }

    /// A stranger that shows no certificates is looked for again and again, but keeps nobody else waiting.
    @Test(arguments: UInt64(305)...308) func whoCannotBeFoundMakesRoomForOthers(seed: UInt64) throws {
        let scenario = Scenario(Scenario.Setting(seed: seed))
        let bob = try scenario.addNode("bob", Identities.bob, adjusting: { $0.pendingRequestLimit = 1 })
        try scenario.waitUntilAnnounced(bob)
        let stranger = try scenario.addNode("stranger", Identities.mallory) { configuration in
            (configuration.idForms, configuration.dialects) = ([], [.direct])
            configuration.dht.isClient = true
        }
        _ = stranger.call(bob.identity.accountID)
        try scenario.run(for: .seconds(2))
        let alice = try scenario.addNode("alice", Identities.alice)
        let call = alice.call(bob.identity.accountID)
        try scenario.wait(for: "ringing", within: .seconds(4)) { !bob.incomingCalls.isEmpty }
        #expect(bob.ignored.contains { $0.hasPrefix("unknownSender") })
        alice.hangUp(call)
        try scenario.run(for: .seconds(5))
        #expect(bob.incomingCalls.count == 1)
    }

    /// Whoever calls again and again takes no line from others.
    @Test func oneAccountCannotTakeEveryLine() throws {
        let parties = try Parties(Scenario.Setting(seed: 303)) {
            ($0.callLimit, $0.callsPerAccountLimit) = (4, 2)
        }
        let (scenario, bob) = (parties.scenario, parties.bob)
        let mallory = try scenario.addNode("mallory", Identities.mallory)
        try scenario.waitUntilAnnounced(mallory)
        let calls = (0..<4).map { _ in mallory.call(bob.identity.accountID) }
        try scenario.wait(for: "refusals", within: .seconds(60)) { calls.count { mallory.end(of: $0) != nil } == 2 }
        #expect(bob.incomingCalls.count == 2)
        let call = parties.alice.call(bob.identity.accountID)
        try scenario.wait(for: "another's call", within: .seconds(60)) { bob.incomingCalls.count == 3 }
        #expect(parties.alice.end(of: call) == nil)
        for call in bob.incomingCalls { bob.decline(call) }
        try scenario.waitUntilIdle()
    }

    /// Garbage at every open port, from the first request to the last word.
    @Test(arguments: UInt64(311)...316) func garbageDoesNoHarm(seed: UInt64) throws {
        let parties = try Parties(EndingTests.setting(seed))
        let noise = Noise(in: parties.world, against: [parties.alice, parties.bob])
        noise.start()
        let calls = try parties.talk()
        parties.alice.send("can you hear me?", in: calls.alices)
        try parties.scenario.run(for: .seconds(2))
        #expect(parties.bob.texts(in: calls.bobs) == ["can you hear me?"])
        parties.bob.hangUp(calls.bobs)
        try parties.waitForEnd(of: calls)
        #expect(parties.alice.end(of: calls.alices) == .remoteHungUp)
        for (node, call) in [(parties.alice, calls.alices), (parties.bob, calls.bobs)] {
            #expect((node.sound[call]?.statistics.received ?? 0) > 80)
        }
        noise.stop()
        #expect(noise.count > 500)
        try parties.scenario.waitUntilIdle()
    }
}

/// A stranger that sends bytes without sense, some of which begin as if they had some, to every open port.
final class Noise: Host {
    let name = "noise"
    let addresses: [IPAddress] = [.v4(0x0B00_0001)]
    let deadline: Instant? = nil
    private(set) var count = 0
    private unowned let world: World
    private let victims: [NodeHost]
    private var random: RandomSource
    private var isRunning = false

    init(in world: World, against victims: [NodeHost]) {
        self.world = world
        self.victims = victims
        random = world.splitRandom()
        world.add(self)
    }

    func advance(to now: Instant) {}

    func start() {
        isRunning = true
        tick()
    }

    func stop() { isRunning = false }

    private func tick() {
        guard isRunning else { return }
        for port in victims.flatMap({ world.openPorts(of: $0) }) {
            world.send(bytes(), from: Endpoint(addresses[0], port: 666), to: port)
            connect(to: port)
            count += 1
        }
        world.schedule(after: .milliseconds(20)) { [weak self] in self?.tick() }
    }

    private func connect(to port: Endpoint) {
        // A connection each tick would only fill the backlog.
        guard Int.random(in: 0..<10, using: &random) == 0,
            let stream = world.connect(from: Endpoint(addresses[0], port: 0), to: port)
        else { return }
        let garbage = bytes()
        stream.start(
            ByteStream.Handlers(
                connected: { [unowned stream] in stream.write(garbage) },
                received: { _ in },
                ended: { _ = stream }))
        world.schedule(after: .seconds(1)) { stream.close() }
    }

    private func bytes() -> [UInt8] {
        let garbage = random.bytes(Int.random(in: 0...1400, using: &random))
        switch Int.random(in: 0..<6, using: &random) {
        case 0: return [0, 1, 0, 8, 0x21, 0x12, 0xA4, 0x42] + garbage.prefix(20)  // a check of ICE
        case 1: return [22, 254, 253] + garbage  // a handshake of DTLS
        case 2: return [0x80, 104] + garbage  // a packet of RTP
        case 3: return [0x80, 200, 0, 6] + garbage.prefix(24)  // a report of RTCP
        case 4: return [0x86, 0xA1, 0x71] + garbage  // a map of the DHT
        default: return garbage
        }
    }
}
