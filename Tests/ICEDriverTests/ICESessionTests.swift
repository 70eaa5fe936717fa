import EventLoop
import ICEDriver
import SansIO
import SwiftICE
import Testing

/// Sessions over sockets of the loopback interface.
@Suite struct ICESessionTests {
    @Test(arguments: [false, true]) func twoSessionsConnectAndTalk(overTCP: Bool) async throws {
        let heard = try await onLoop { loop, done in
            let pair = Pair(on: loop, overTCP: overTCP)
            pair.whenWritable = {
                for side in 0..<2 { pair.sessions[side].send([UInt8](repeating: 7, count: 100).span) }
            }
            pair.whenHeard = { if pair.heard == [100, 100] { done(pair.heard) } }
            pair.connect()
        }
        #expect(heard == [100, 100])
    }

    @Test func manyDatagramsOfOneCallArriveInOrder() async throws {
        let firsts = try await onLoop { loop, done in
            let pair = Pair(on: loop, overTCP: false)
            var firsts: [Int] = []
            pair.whenWritable = { #expect(pair.sessions[0].send((0..<40).map { [UInt8($0), 1, 2] }) == 40) }
            pair.whenDataAtOne = { bytes in
                firsts.append(Int(bytes[0]))
                if firsts.count == 40 { done(firsts) }
            }
            pair.connect()
        }
        // First bytes below 4 do not make STUN.
        #expect(firsts == Array(0..<40))
    }

    @Test func aServerTellsTheReflexiveAddress() async throws {
        let mapped = Endpoint(.v4(0xCB00_7101), port: 4567)
        let description = try await onLoop { loop, done in
            let server = STUNServer(on: loop, telling: mapped)
            var configuration = Pair.configuration(overTCP: false)
            configuration.stunServers = [server.endpoint]
            let described = Box<ICESession?>(nil)
            var handlers = ICESession.Handlers()
            handlers.gathered = {
                _ = server
                done(described.value?.localDescription)
            }
            let session = ICESession(
                role: .controlling, configuration: configuration, on: loop, batch: DatagramBatch(), handlers: handlers)
            described.value = session
            session.gather()
        }
        let reflexive = try #require(description).candidates.filter { $0.kind == .serverReflexive }
        #expect(reflexive.map(\.endpoint) == [mapped])
    }

    @Test func aSilentServerEndsGatheringAfterThePatience() async throws {
        let waited = try await onLoop { loop, done in
            var configuration = Pair.configuration(overTCP: false)
            configuration.stunServers = [Endpoint(.loopback(.v4), port: 9)]
            configuration.gatheringPatience = .milliseconds(60)
            let start = loop.now
            let kept = Box<ICESession?>(nil)
            var handlers = ICESession.Handlers()
            handlers.gathered = {
                done(start.duration(to: loop.now))
                kept.value = nil
            }
            kept.value = ICESession(
                role: .controlling, configuration: configuration, on: loop, batch: DatagramBatch(), handlers: handlers)
            kept.value?.gather()
        }
        #expect(waited >= .milliseconds(60))
    }

    @Test func aServerIsAskedFromTheListeningPort() async throws {
        let mapped = Endpoint(.v4(0xCB00_7101), port: 4567)
        let (description, source) = try await onLoop { loop, done in
            let server = StreamSTUNServer(on: loop, telling: mapped)
            var configuration = Pair.configuration(overTCP: true)
            configuration.agent.opensSimultaneously = true
            configuration.stunServers = [server.endpoint]
            let kept = Box<ICESession?>(nil)
            var handlers = ICESession.Handlers()
            handlers.gathered = { done((kept.value?.localDescription, server.source)) }
            kept.value = ICESession(
                role: .controlling, configuration: configuration, on: loop, batch: DatagramBatch(), handlers: handlers)
            kept.value?.gather()
        }
        let candidates = try #require(description).candidates
        let reflexive = candidates.filter { $0.kind == .serverReflexive }
        #expect(reflexive.map(\.endpoint) == [mapped, mapped])
        #expect(reflexive.map(\.transport) == [.tcp(.passive), .tcp(.simultaneousOpen)])
        let listening = candidates.first { $0.kind == .host && $0.transport == .tcp(.passive) }
        #expect(try source == #require(listening).endpoint)
    }

    @Test func connectionsLeaveFromTheOfferedPortsAndMeet() async throws {
        let heard = try await onLoop { loop, done in
            let pair = Pair(on: loop, overTCP: true) { $0.agent.opensSimultaneously = true }
            pair.whenWritable = {
                for side in 0..<2 { pair.sessions[side].send([UInt8](repeating: 7, count: 100).span) }
            }
            pair.whenHeard = {
                guard pair.heard == [100, 100] else { return }
                done(pair.sessions.compactMap { $0.selectedPair()?.remote.transport })
            }
            pair.connect { $0.transport == .tcp(.simultaneousOpen) }
        }
        #expect(heard == [.tcp(.simultaneousOpen), .tcp(.simultaneousOpen)])
    }

    @Test func addressesThatAreNamedAreNotTold() async throws {
        let mapped = Endpoint(.v4(0xCB00_7101), port: 4567)
        let told = try await onLoop { loop, done in
            let server = STUNServer(on: loop, telling: mapped)
            var configuration = Pair.configuration(overTCP: false)
            configuration.namesHosts = true
            configuration.stunServers = [server.endpoint]
            let kept = Box<ICESession?>(nil)
            var handlers = ICESession.Handlers()
            handlers.gathered = {
                _ = server
                done(kept.value?.localDescription.candidates)
            }
            kept.value = ICESession(
                role: .controlling, configuration: configuration, on: loop, batch: DatagramBatch(), handlers: handlers)
            kept.value?.gather()
        }
        let candidates = try #require(told)
        #expect(candidates.map(\.endpoint) == [mapped])
        #expect(candidates.first?.related?.address == .unspecified(.v4))
    }

    @Test func dataOfStrangersAreDroppedAndCounted() async throws {
        let counters = try await onLoop { loop, done in
            let pair = Pair(on: loop, overTCP: false)
            let stranger = try? DatagramSocket(bindingTo: Endpoint(.v4(0x7F00_0001), port: 0))
            pair.whenWritable = {
                guard let target = pair.sessions[1].localDescription.candidates.first?.endpoint else { return }
                try? stranger?.send([0x80, 1, 2, 3], to: target)
                loop.schedule(at: loop.now.advanced(by: .milliseconds(50))) { done(pair.sessions[1].counters) }
            }
            pair.connect()
        }
        #expect(counters.strangers == 1)
        #expect(counters.dataReceived == 0)
    }
}

/// Two sessions that know each other.
private final class Pair {
    private(set) var sessions: [ICESession] = []
    private(set) var heard = [0, 0]
    private var writable = [false, false]
    private var gathered = 0
    var whenWritable: () -> Void = {}
    var whenHeard: () -> Void = {}
    var whenDataAtOne: ([UInt8]) -> Void = { _ in }

    init(on loop: EventLoop, overTCP: Bool, _ change: (inout ICESession.Configuration) -> Void = { _ in }) {
        var configuration = Self.configuration(overTCP: overTCP)
        change(&configuration)
        let batch = DatagramBatch()
        for (side, role) in [Role.controlling, .controlled].enumerated() {
            var handlers = ICESession.Handlers()
            handlers.writable = { [self] _ in
                writable[side] = true
                if writable == [true, true] { whenWritable() }
            }
            handlers.received = { [self] bytes, _ in
                heard[side] += bytes.count
                if side == 1 { whenDataAtOne([UInt8](bytes)) }
                whenHeard()
            }
            sessions.append(
                ICESession(
                    role: role, configuration: configuration, on: loop, batch: batch, handlers: handlers))
        }
    }

    static func configuration(overTCP: Bool) -> ICESession.Configuration {
        var configuration = ICESession.Configuration()
        configuration.addresses = [Endpoint(.loopback(.v4), port: 0)]
        configuration.usesUDP = !overTCP
        configuration.usesTCP = overTCP
        return configuration
    }

    /// - Parameter isTold: which candidates of each side the other one is told.
    func connect(telling isTold: (Candidate) -> Bool = { _ in true }) {
        for session in sessions { session.gather() }
        for side in 0..<2 {
            var remote = sessions[1 - side].localDescription
            remote.candidates = remote.candidates.filter(isTold)
            sessions[side].connect(to: remote)
        }
    }
}
