import SansIO
import SwiftICE
import TestVectors
import Testing

struct TURNClientTests {
    private static let peer = Endpoint(.v4(0x1400_000B), port: 5000)
    private static let credentials = STUNClient.Credentials.longTerm(username: "user", password: "pass")

    // MARK: Allocation

    @Test func anAllocationTakesTwoRoundTripsAndThenOne() {
        var pair = TURNPair()
        pair.start()
        pair.run(for: .milliseconds(80))
        #expect(pair.allocation?.relayed == pair.server.relayed)
        #expect(pair.allocation?.mapped == pair.server.mapped)
        #expect(pair.allocation?.lifetime == .seconds(600))
        var next = TURNPair(
            TURNClient(
                leg: .datagram, credentials: Self.credentials, memory: pair.client.memory, random: .seeded(9)))
        next.start()
        next.run(for: .milliseconds(40))
        #expect(next.allocation != nil)
    }

    @Test func allocationsAreRefreshedByTheirOwnLifetime() {
        for lifetime: UInt32 in [60, 120, 600, 3600] {
            var pair = TURNPair()
            pair.server.lifetime = lifetime
            pair.start()
            pair.run(for: .seconds(Int64(lifetime) * 5))
            let refreshes = pair.server.asked.count { $0.method == .refresh && $0.isAuthentic }
            #expect((5...10).contains(refreshes), "\(refreshes) for \(lifetime) s")
            #expect(pair.ending == nil && pair.allocation != nil)
        }
    }

    @Test func lostAnswersAreMadeUpFor() {
        var settled = 0
        for seed: UInt64 in 0..<60 {
            var pair = TURNPair(seed: seed)
            pair.loss = 0.2
            pair.start()
            pair.run(for: .seconds(10))
            pair.take(pair.client.permit(Self.peer.address, at: pair.now))
            pair.run(for: .seconds(40))
            // A lost answer to the second Allocate is made up for by the same transaction; a mismatch is told.
            if pair.client.isPermitted(Self.peer.address) { settled += 1 }
            #expect(pair.ending == nil || pair.ending == .mismatch)
            pair.loss = 0
            pair.run(for: .seconds(1500))
            #expect(pair.ending != nil || pair.allocation != nil)
        }
        #expect(settled >= 30, "\(settled) of 60")
    }

    @Test func withoutAnswersTheClientEnds() {
        var pair = TURNPair()
        pair.loss = 1
        pair.start()
        pair.run(for: .seconds(40))
        #expect(pair.ending == .refused(.noAnswer))
        #expect(pair.datagrams == 7 && pair.client.deadline == nil)
    }

    @Test func aServerThatForgetsEndsTheAllocation() {
        var pair = TURNPair()
        pair.start()
        pair.run(for: .seconds(1))
        pair.server.refusals[.refresh] = [.allocationMismatch]
        pair.run(for: .seconds(600))
        #expect(pair.ending == .lost)
        // One that falls silent is noticed before the allocation ends.
        var silent = TURNPair()
        silent.start()
        silent.run(for: .seconds(1))
        silent.loss = 1
        silent.run(for: .seconds(601))
        #expect(silent.ending == .lost)
    }

    @Test func refusalsAreTold() {
        let cases: [(ErrorCode, TURNClient.Ending)] = [
            (.allocationMismatch, .mismatch), (.allocationQuotaReached, .refused(.rejected(.allocationQuotaReached))),
            (.insufficientCapacity, .refused(.rejected(.insufficientCapacity))),
            (.unsupportedTransport, .refused(.rejected(.unsupportedTransport))),
            (.addressFamilyNotSupported, .refused(.rejected(.addressFamilyNotSupported))),
            (.wrongCredentials, .refused(.rejected(.wrongCredentials))),
            (.forbidden, .refused(.rejected(.forbidden))),
        ]
        for (code, ending) in cases {
            var pair = TURNPair()
            pair.server.refusals[.allocate] = [code]
            pair.start()
            pair.run(for: .seconds(1))
            #expect(pair.ending == ending)
        }
    }

    @Test func aPortThatCannotBeHadIsGivenUp() throws {
        for (code, extra) in [
            (ErrorCode.unknownAttribute, Attribute.unknownAttributes([.evenPort])),
            (.insufficientCapacity, .software("")),
        ] {
            var request = TURNClient.Request()
            request.port = .evenAndNext
            var pair = TURNPair(request: request)
            pair.server.refusals[.allocate] = [code]
            pair.server.extras[.allocate] = [extra]
            pair.start()
            pair.run(for: .seconds(1))
            #expect(pair.allocation != nil)
            #expect(pair.server.asked.count == 3)
        }
    }

    @Test func liesAboutTheAllocationAreRefused() {
        let lies: [[Endpoint]] = [
            [], [Endpoint(.v4(0), port: 4)], [Endpoint(.v4(0x1400_000A), port: 0)],
            [Endpoint(.v4(0xE000_0001), port: 9)], [Endpoint(.v6(high: 1, low: 1), port: 9)],
        ]
        for relayed in lies {
            var pair = TURNPair()
            pair.server.relayed = relayed
            pair.start()
            pair.run(for: .seconds(1))
            #expect(pair.ending == .unusable)
        }
        var pair = TURNPair()
        pair.server.lifetime = 0
        pair.start()
        pair.run(for: .seconds(1))
        #expect(pair.ending == .unusable)
        var endless = TURNPair()
        endless.server.lifetime = .max
        endless.start()
        endless.run(for: .seconds(1))
        #expect(endless.allocation?.lifetime == endless.client.configuration.lifetimeLimit)
    }

    @Test func bothFamiliesAreTakenOnce() {
        var request = TURNClient.Request()
        request.families = .both
        var pair = TURNPair(request: request)
        let six = Endpoint(.v6(high: 0x2001_0DB8 << 32, low: 1), port: 50_001)
        pair.server.relayed += [six, Endpoint(.v4(0x1400_000C), port: 1)]
        pair.start()
        pair.run(for: .seconds(1))
        #expect(pair.allocation?.relayed == [pair.server.relayed[0], six])
        pair.take(pair.client.permit(six.address, at: pair.now))
        pair.run(for: .seconds(1))
        #expect(pair.client.isPermitted(six.address))
    }

    @Test func releasingFreesTheAllocation() {
        var pair = TURNPair()
        pair.start()
        pair.run(for: .seconds(1))
        pair.take(pair.client.release(at: pair.now))
        pair.run(for: .seconds(1))
        #expect(pair.ending == .released && !pair.server.isAllocated)
        #expect(pair.client.deadline == nil)
        // Also one that is granted only afterwards.
        var early = TURNPair()
        early.start()
        early.run(for: .milliseconds(50))
        early.take(early.client.release(at: early.now))
        early.run(for: .seconds(1))
        #expect(early.ending == .released && !early.server.isAllocated)
        #expect(early.server.asked.contains { $0.method == .refresh })
    }

    // MARK: Permissions and channels

    @Test func permissionsAskedForEarlyAreInstalledAndKept() {
        var pair = TURNPair()
        pair.take(pair.client.permit(Self.peer.address, at: pair.now))
        pair.start()
        pair.run(for: .milliseconds(120))
        #expect(pair.told.contains(.permitted(Self.peer.address)))
        for _ in 0..<60 {
            pair.run(for: .seconds(30))
            #expect(pair.server.isPermitted(Self.peer.address, at: pair.now))
        }
        #expect(pair.ending == nil)
        pair.client.forget(Self.peer.address)
        pair.run(for: .seconds(301))
        #expect(!pair.server.isPermitted(Self.peer.address, at: pair.now))
    }

    @Test func oneRefusedPeerDoesNotConcernTheOthers() {
        var pair = TURNPair()
        pair.start()
        pair.run(for: .seconds(1))
        let loopback = IPAddress.loopback(.v4)
        pair.take(pair.client.permit(loopback, at: pair.now))
        pair.take(pair.client.permit(Self.peer.address, at: pair.now))
        pair.run(for: .seconds(1))
        #expect(pair.told.contains(.permissionFailed(loopback, .rejected(.forbidden))))
        #expect(pair.client.isPermitted(Self.peer.address) && !pair.client.isPermitted(loopback))
        #expect(
            pair.client.send([1], to: Endpoint(loopback, port: 1), at: pair.now)
                == [.ignored(.notPermitted(loopback))])
    }

    @Test func aPeerOfAnotherFamilyIsRefusedHere() {
        var pair = TURNPair()
        pair.start()
        pair.run(for: .seconds(1))
        let six = IPAddress.v6(high: 0x2001_0DB8 << 32, low: 2)
        pair.take(pair.client.permit(six, at: pair.now))
        #expect(pair.told.contains(.permissionFailed(six, .rejected(.peerAddressFamilyMismatch))))
        #expect(!pair.server.asked.contains { $0.method == .createPermission })
    }

    @Test func requestsAboutOnePeerDoNotOverlap() {
        var pair = TURNPair()
        pair.start()
        pair.run(for: .seconds(1))
        pair.take(pair.client.permit(Self.peer.address, at: pair.now))
        pair.run(for: .seconds(1))
        let before = pair.server.asked.count
        for port: UInt16 in 1...3 {
            pair.take(pair.client.bindChannel(to: Self.peer.with(port: port), at: pair.now))
        }
        // A round trip of 40 ms each, one after the other.
        pair.run(for: .milliseconds(39))
        #expect(pair.server.asked.count == before + 1)
        pair.run(for: .milliseconds(40))
        #expect(pair.server.asked.count == before + 2)
        pair.run(for: .milliseconds(60))
        #expect(pair.server.channels.count == 3)
    }

    @Test func dataTravelInIndicationsAndThenOnTheChannel() {
        var pair = TURNPair()
        pair.start()
        pair.run(for: .seconds(1))
        #expect(pair.client.send([1], to: Self.peer, at: pair.now) == [.ignored(.notPermitted(Self.peer.address))])
        pair.take(pair.client.permit(Self.peer.address, at: pair.now))
        pair.run(for: .seconds(1))
        pair.take(pair.client.send([1, 2, 3], to: Self.peer, at: pair.now))
        pair.peerSends([4, 5], from: Self.peer)
        pair.run(for: .seconds(1))
        #expect(pair.server.delivered.map(\.data) == [[1, 2, 3]])
        #expect(pair.told.contains(.received([4, 5], from: Self.peer)))
        pair.take(pair.client.bindChannel(to: Self.peer, at: pair.now))
        pair.run(for: .seconds(1))
        #expect(pair.told.contains(.bound(channel: 0x4000, to: Self.peer)))
        #expect(pair.client.send([6], to: Self.peer, at: pair.now) == [.send([0x40, 0, 0, 1, 6])])
        pair.peerSends([7], from: Self.peer)
        pair.run(for: .seconds(1))
        #expect(pair.told.contains(.received([7], from: Self.peer)))
        // An hour later both still stand, at one request every four minutes for both.
        let before = pair.server.asked.count
        pair.run(for: .seconds(3600))
        #expect(pair.server.isPermitted(Self.peer.address, at: pair.now))
        let asked = pair.server.asked[before...]
        #expect(asked.count { $0.method == .channelBind } == 15)
        #expect(asked.count { $0.method == .createPermission } == 0)
    }

    @Test func channelsThatCannotBeBoundLeaveIndications() {
        var pair = TURNPair()
        pair.start()
        pair.take(pair.client.permit(Self.peer.address, at: pair.now))
        pair.run(for: .seconds(1))
        pair.server.refusals[.channelBind] = [.badRequest]
        pair.take(pair.client.bindChannel(to: Self.peer, at: pair.now))
        pair.run(for: .seconds(1))
        #expect(pair.told.contains(.bindingFailed(Self.peer, .rejected(.badRequest))))
        pair.take(pair.client.send([9], to: Self.peer, at: pair.now))
        pair.run(for: .seconds(600))
        #expect(pair.server.delivered.map(\.data) == [[9]])
        #expect(pair.client.isPermitted(Self.peer.address))
    }

    @Test func channelDataIsPaddedOnStreamsOnly() throws {
        var client = TURNClient(leg: .stream, credentials: Self.credentials, random: .seeded(1))
        var server = SimulatedTURNServer()
        func talk(_ effects: [TURNClient.Effect]) {
            var pending = effects
            while let effect = pending.popLast() {
                guard case .send(let bytes) = effect else { continue }
                for answer in server.receive(bytes, at: .zero) {
                    // Streams cut messages anywhere.
                    for byte in answer { pending += client.receive([byte], at: .zero) }
                }
            }
        }
        talk(client.start(at: .zero))
        talk(client.permit(Self.peer.address, at: .zero))
        talk(client.bindChannel(to: Self.peer, at: .zero))
        #expect(
            client.send([1, 2, 3, 4, 5], to: Self.peer, at: .zero) == [.send([0x40, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0])])
        let data = try #require(ChannelData(channel: 0x4000, data: [8]))
        #expect(client.receive(data.framed, at: .zero) == [.received([8], from: Self.peer)])
        let broken = client.receive([0xFF, 0, 0, 0], at: .zero)
        #expect(broken.last == .ended(.legFailed) && client.isOver)
    }

    @Test func unreachablePeersAreTold() throws {
        var pair = TURNPair()
        pair.start()
        pair.take(pair.client.permit(Self.peer.address, at: pair.now))
        pair.run(for: .seconds(1))
        var builder = MessageBuilder(.indication, .data, TransactionID(high: 1, low: 1))
        builder.add(.xorAddress(.xorPeerAddress, Self.peer))
        builder.add(.unknown(.icmp, [0, 0, 3 << 1, 4, 0, 0, 5, 0]))
        let effects = pair.client.receive(builder.finished(), at: pair.now)
        guard case .unreachable(Self.peer, let error) = effects.first else {
            Issue.record("nothing was told")
            return
        }
        #expect(error.type == 3 && error.code == 4)
    }

    @Test func aSilentLegIsKeptAlive() {
        var pair = TURNPair()
        pair.start()
        pair.run(for: .seconds(1))
        let before = pair.datagrams
        pair.run(for: .seconds(150))
        #expect((9...10).contains(pair.datagrams - before))
    }

    @Test func staleNoncesAreRenewedOnEveryKindOfRequest() {
        var pair = TURNPair()
        pair.start()
        pair.run(for: .seconds(1))
        var number: UInt8 = 0
        func age() {
            number += 1
            pair.server.nonce = [number]
        }
        age()
        pair.take(pair.client.permit(Self.peer.address, at: pair.now))
        pair.run(for: .seconds(1))
        age()
        pair.take(pair.client.bindChannel(to: Self.peer, at: pair.now))
        pair.run(for: .seconds(1))
        for _ in 0..<20 {
            age()
            pair.run(for: .seconds(100))
        }
        age()
        pair.take(pair.client.release(at: pair.now))
        pair.run(for: .seconds(1))
        #expect(pair.ending == .released && !pair.server.isAllocated)
        #expect(pair.told.contains(.bound(channel: 0x4000, to: Self.peer)))
        #expect(!pair.told.contains { if case .permissionFailed = $0 { true } else { false } })
    }

    // MARK: Hostile

    @Test func floodsStayWithinTheLimits() {
        var pair = TURNPair()
        pair.start()
        pair.run(for: .seconds(1))
        for number in 0..<500 as Range<UInt32> {
            pair.take(pair.client.permit(.v4(0x1500_0000 + number), at: pair.now))
        }
        pair.run(for: .seconds(1))
        #expect(pair.told.count { if case .permitted = $0 { true } else { false } } == 64)
        for port in 0..<500 as Range<UInt16> {
            pair.take(pair.client.bindChannel(to: Endpoint(.v4(0x1500_0000), port: port + 1), at: pair.now))
        }
        pair.run(for: .seconds(60))
        #expect(pair.told.count { if case .bound = $0 { true } else { false } } == 256)
        #expect(pair.client.send([UInt8](repeating: 0, count: 65_001), to: Self.peer, at: pair.now).count == 1)
        #expect(pair.ending == nil)
    }

    @Test func dataOfStrangersIsRefused() throws {
        var pair = TURNPair()
        pair.start()
        pair.run(for: .seconds(1))
        var builder = MessageBuilder(.indication, .data, TransactionID(high: 1, low: 1))
        builder.add(.xorAddress(.xorPeerAddress, Self.peer))
        builder.add(.data([1]))
        #expect(
            pair.client.receive(builder.finished(), at: pair.now)
                == [.ignored(.notPermitted(Self.peer.address))])
        let data = try #require(ChannelData(channel: 0x4001, data: [8]))
        #expect(pair.client.receive(data.datagram, at: pair.now) == [.ignored(.unknownChannel(0x4001))])
        let attempt = MessageBuilder(.indication, .connectionAttempt, TransactionID(high: 1, low: 1)).finished()
        #expect(pair.client.receive(attempt, at: pair.now) == [.ignored(.wrongState)])
    }

    @Test(arguments: 0..<48 as Range<UInt64>) func mutatedAnswersNeverTrap(_ seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var pair = TURNPair(seed: seed)
        pair.start()
        pair.run(for: .seconds(1))
        pair.take(pair.client.permit(Self.peer.address, at: pair.now))
        pair.take(pair.client.bindChannel(to: Self.peer, at: pair.now))
        pair.run(for: .milliseconds(100))
        var samples = [pair.server.data([1, 2, 3], from: Self.peer, at: pair.now) ?? [0x40, 0, 0, 1, 9, 0, 0, 0]]
        samples.append(MessageBuilder(.indication, .data, TransactionID(high: 1, low: 1)).finished())
        for _ in 0..<300 {
            let bytes = mutated(samples.randomElement(using: &random) ?? [], &random)
            pair.take(pair.client.receive(bytes, at: pair.now))
        }
        pair.run(for: .seconds(2000))
        #expect(pair.ending == nil && pair.allocation != nil)
    }
}
