import Foundation
import SansIO
import Testing

@testable import SecureChannel

/// What sessions do with a network, or a peer, that does not behave.
@Suite struct HostileInputTests {
    @Test func garbageInsteadOfAHandshakeFailsTheStream() throws {
        var random = RandomSource.seeded(9)
        for _ in 0..<200 {
            let pair = try SessionPair(.stream)
            _ = pair.server.start(at: .zero)
            _ = pair.client.start(at: .zero)
            let garbage = random.bytes(Int.random(in: 1...2000, using: &random))
            for session in [pair.server, pair.client] {
                let effects = session.receive(garbage, at: .zero) + session.receive(garbage, at: .zero)
                #expect(SessionPair.facts(effects) == nil)
                for case .received in effects { Issue.record("garbage was delivered") }
            }
        }
    }

    @Test func plainTextInsteadOfAHandshakeFailsByName() throws {
        let pair = try SessionPair(.stream)
        _ = pair.server.start(at: .zero)
        let effects = pair.server.receive(Array("GET / HTTP/1.1\r\n\r\n".utf8), at: .zero)
        guard case .protocolViolation(let code, let name)? = SessionPair.failure(effects) else {
            Issue.record("\(effects)")
            return
        }
        #expect(code < 0 && name.hasPrefix("GNUTLS_E_"))
        #expect(pair.server.receive([1], at: .zero) == [.ignored(.over)])
    }

    @Test func strayDatagramsAreIgnoredByAServerAndCostNothing() throws {
        var random = RandomSource.seeded(10)
        let pair = try SessionPair(.datagram(mtu: 1200))
        _ = pair.server.start(at: .zero)
        for _ in 0..<1000 {
            let garbage = random.bytes(Int.random(in: 0...1500, using: &random))
            #expect(pair.server.receive(garbage, at: .zero) == [.ignored(.strayDatagram)])
        }
        pair.take(pair.client.start(at: .zero), fromClient: true)
        pair.exchange()
        #expect(pair.areEstablished)
    }

    @Test func garbageBetweenDatagramsChangesNothing() throws {
        var random = RandomSource.seeded(11)
        let pair = try SessionPair(.datagram(mtu: 1200))
        pair.alter = { _, bytes in
            [random.bytes(Int.random(in: 1...1200, using: &random)), bytes, bytes.mutated(using: &random)]
        }
        pair.start()
        // A mutated copy of an unprotected message may break the handshake; it must not break anything else.
        guard pair.areEstablished else { return }
        pair.send([1, 2, 3], fromClient: true)
        #expect(SessionPair.received(pair.serverSaw) == [1, 2, 3])
    }

    @Test func repeatedDatagramsAreDeliveredOnce() throws {
        let pair = try SessionPair(.datagram(mtu: 1200))
        pair.start()
        pair.alter = { [$1, $1, $1] }
        pair.send([1, 2, 3], fromClient: true)
        pair.send([4], fromClient: true)
        #expect(SessionPair.received(pair.serverSaw) == [1, 2, 3, 4])
    }

    @Test(arguments: [1, 7, 100])
    func streamsMayBeCutAnywhere(size: Int) throws {
        let pair = try SessionPair(.stream)
        pair.alter = { _, bytes in
            stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min($0 + size, bytes.count)]) }
        }
        pair.start()
        #expect(pair.areEstablished)
        pair.send([UInt8](repeating: 9, count: 5000), fromClient: false)
        #expect(SessionPair.received(pair.clientSaw).count == 5000)
    }

    @Test func handshakesTruncatedAnywhereJustWait() throws {
        var (flights, cut) = ([Int](), 0)
        let whole = try SessionPair(.stream)
        whole.alter = {
            flights.append($1.count); return [$1]
        }
        whole.start()
        #expect(whole.areEstablished)
        for (flight, length) in flights.prefix(3).enumerated() {
            for _ in 0..<4 {
                cut = (cut * 31 + 17) % length
                let pair = try SessionPair(.stream)
                var count = 0
                pair.alter = { _, bytes in
                    defer { count += 1 }
                    return count == flight ? [Array(bytes.prefix(cut))] : count < flight ? [bytes] : []
                }
                pair.start()
                #expect(!pair.areEstablished)
                #expect(SessionPair.failure(pair.serverSaw) == nil && SessionPair.failure(pair.clientSaw) == nil)
                pair.take(pair.client.close(at: pair.now), fromClient: true)
                #expect(pair.clientSaw.last == .closed)
            }
        }
    }

    @Test func mutatedHandshakesNeverEstablishBothSides() throws {
        var random = RandomSource.seeded(12)
        for round in 0..<60 {
            let pair = try SessionPair(.stream)
            var (count, isChanged) = (0, false)
            pair.alter = { _, bytes in
                defer { count += 1 }
                guard count == round % 3 else { return [bytes] }
                let mutant = bytes.mutated(using: &random)
                // Something behind whole records leaves these as genuine as they were.
                isChanged = !mutant.starts(with: bytes)
                return [mutant]
            }
            pair.start()
            if isChanged { #expect(!pair.areEstablished) }
        }
    }

    @Test func mutatedRecordsAreNeverDelivered() throws {
        var random = RandomSource.seeded(13)
        for _ in 0..<40 {
            let pair = try SessionPair(.stream)
            pair.start()
            var isChanged = false
            pair.alter = { _, bytes in
                let mutant = bytes.mutated(using: &random)
                // Something behind whole records leaves these as genuine as they were.
                isChanged = !mutant.starts(with: bytes)
                return [mutant]
            }
            pair.send([UInt8](repeating: 5, count: 100), fromClient: true)
            if isChanged { #expect(SessionPair.received(pair.serverSaw).isEmpty) }
        }
    }

    @Test func mutatedDatagramsAreDropped() throws {
        var random = RandomSource.seeded(14)
        let pair = try SessionPair(.datagram(mtu: 1200))
        pair.start()
        pair.alter = { fromClient, bytes in fromClient ? [bytes.mutated(using: &random)] : [bytes] }
        for _ in 0..<500 { pair.send([UInt8](repeating: 5, count: 100), fromClient: true) }
        pair.alter = { [$1] }
        pair.send([6], fromClient: true)
        pair.giveUpGaps()
        let received = SessionPair.received(pair.serverSaw)
        #expect(received.last == 6)
        #expect(received.dropLast().allSatisfy { $0 == 5 })
    }

    /// GnuTLS repeats by its own clock, so this one test waits; it is bounded, and asserts nothing about time.
    @Test(arguments: [21, 22, 23])
    func datagramHandshakesSurviveLossAndReordering(seed: UInt64) throws {
        var random = RandomSource.seeded(seed)
        let pair = try SessionPair(.datagram(mtu: 600))
        var held: [Bool: [UInt8]] = [:]
        pair.alter = { fromClient, bytes in
            switch Int.random(in: 0..<10, using: &random) {
            case 0, 1: return []
            case 2, 3:
                // Overtaken by the next datagram of its side.
                return held.updateValue(bytes, forKey: fromClient).map { [$0] } ?? []
            default: return [bytes] + (held.removeValue(forKey: fromClient).map { [$0] } ?? [])
            }
        }
        let clock = ContinuousClock()
        let begin = clock.now
        pair.start()
        while !pair.areEstablished, clock.now - begin < .seconds(30) {
            Thread.sleep(forTimeInterval: 0.005)
            pair.now = Instant.zero.advanced(by: clock.now - begin)
            pair.take(pair.client.advance(to: pair.now), fromClient: true)
            pair.take(pair.server.advance(to: pair.now), fromClient: false)
            pair.exchange()
        }
        #expect(pair.areEstablished)
        pair.alter = { [$1] }
        pair.send([7], fromClient: true)
        pair.send([8], fromClient: false)
        // Flights that were repeated took record numbers, so that something seems to be missing.
        pair.giveUpGaps()
        #expect(SessionPair.received(pair.serverSaw) == [7])
        #expect(SessionPair.received(pair.clientSaw) == [8])
    }
}
