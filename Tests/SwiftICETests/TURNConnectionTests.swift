import SansIO
import SwiftICE
import Testing

/// TURN's connections to peers (RFC 6062).
struct TURNConnectionTests {
    private static let peer = Endpoint(.v4(0x1400_000B), port: 5000)

    /// A client and a server joined by streams without delay.
    private struct Stage {
        var client: TURNClient
        var server = SimulatedTURNServer()
        var told: [TURNClient.Effect] = []
        var now = Instant.zero

        init() {
            var request = TURNClient.Request()
            request.transport = .tcp
            client = TURNClient(
                request: request, leg: .stream, credentials: .longTerm(username: "user", password: "pass"),
                random: .seeded(5))
        }

        mutating func take(_ effects: [TURNClient.Effect]) {
            for effect in effects {
                switch effect {
                case .send(let bytes):
                    for answer in server.receive(bytes, at: now) { take(client.receive(answer, at: now)) }
                case .write(let bytes, let id):
                    for answer in server.receive(bytes, at: now) {
                        take(client.receive(answer, on: id, at: now))
                    }
                default: told.append(effect)
                }
            }
        }

        mutating func attempt(_ number: UInt32, from peer: Endpoint) {
            var builder = MessageBuilder(.indication, .connectionAttempt, TransactionID(high: 1, low: 1))
            builder.add(.connectionID(number))
            builder.add(.xorAddress(.xorPeerAddress, peer))
            take(client.receive(builder.finished(), at: now))
        }

        func opening() -> [TURNClient.ConnectionID] {
            told.compactMap { if case .open(let id) = $0 { id } else { nil } }
        }
    }

    @Test func aRelayForConnectionsNeedsAStream() {
        var request = TURNClient.Request()
        request.transport = .tcp
        var client = TURNClient(request: request, leg: .datagram, credentials: .none, random: .seeded(1))
        #expect(client.start(at: .zero) == [.ended(.refused(.rejected(.unsupportedTransport)))])
    }

    @Test func connectionsToPeersAreBound() throws {
        var stage = Stage()
        stage.take(stage.client.start(at: .zero))
        let (number, effects) = stage.client.connect(to: Self.peer, at: .zero)
        let id = try #require(number)
        stage.take(effects)
        #expect(stage.opening() == [id])
        #expect(stage.client.receive([1], on: id, at: .zero) == [.ignored(.wrongState)])
        stage.take(stage.client.opened(id, at: .zero))
        #expect(stage.told.last == .connected(id, peer: Self.peer))
        #expect(stage.client.receive([1, 2], on: id, at: .zero) == [.piped([1, 2], on: id)])
        #expect(stage.client.disconnect(id) == [.close(id)])
        #expect(stage.client.disconnect(id) == [.ignored(.wrongState)])
    }

    @Test func whatFollowsTheAnswerIsThePeers() throws {
        var stage = Stage()
        stage.take(stage.client.start(at: .zero))
        let (number, effects) = stage.client.connect(to: Self.peer, at: .zero)
        let id = try #require(number)
        stage.take(effects)
        let opened = stage.client.opened(id, at: .zero)
        guard case .write(let bytes, id) = opened.first else {
            Issue.record("nothing was written")
            return
        }
        let answer = try #require(stage.server.receive(bytes, at: .zero).first)
        var told: [TURNClient.Effect] = []
        for byte in answer { told += stage.client.receive([byte], on: id, at: .zero) }
        #expect(told == [.connected(id, peer: Self.peer)])
        // In one piece, too.
        var other = Stage()
        other.take(other.client.start(at: .zero))
        let (second, more) = other.client.connect(to: Self.peer, at: .zero)
        let otherID = try #require(second)
        other.take(more)
        guard case .write(let request, _) = other.client.opened(otherID, at: .zero).first else {
            Issue.record("nothing was written")
            return
        }
        let reply = try #require(other.server.receive(request, at: .zero).first) + [9, 8, 7]
        #expect(
            other.client.receive(reply, on: otherID, at: .zero)
                == [.connected(otherID, peer: Self.peer), .piped([9, 8, 7], on: otherID)])
    }

    @Test func peersThatConnectNeedAPermission() throws {
        var stage = Stage()
        stage.take(stage.client.start(at: .zero))
        stage.attempt(77, from: Self.peer)
        #expect(stage.told.last == .ignored(.notPermitted(Self.peer.address)))
        stage.take(stage.client.permit(Self.peer.address, at: .zero))
        stage.attempt(77, from: Self.peer)
        stage.attempt(77, from: Self.peer)
        #expect(stage.opening().count == 1)
        let id = try #require(stage.opening().first)
        stage.take(stage.client.opened(id, at: .zero))
        #expect(stage.told.last == .connected(id, peer: Self.peer))
    }

    @Test func failuresAreToldOnce() throws {
        for code in [ErrorCode.connectionFailed, .connectionAlreadyExists, .forbidden] {
            var stage = Stage()
            stage.take(stage.client.start(at: .zero))
            stage.server.refusals[.connect] = [code]
            let (number, effects) = stage.client.connect(to: Self.peer, at: .zero)
            let id = try #require(number)
            stage.take(effects)
            #expect(stage.told.last == .connectionFailed(id, .rejected(code)))
            #expect(stage.client.opened(id, at: .zero) == [.ignored(.wrongState)])
        }
        var stage = Stage()
        stage.take(stage.client.start(at: .zero))
        let (number, effects) = stage.client.connect(to: Self.peer, at: .zero)
        let id = try #require(number)
        stage.take(effects)
        // Never opened.
        let late = Instant.zero.advanced(by: .seconds(31))
        #expect(stage.client.advance(to: late).contains(.connectionFailed(id, .noAnswer)))
    }

    @Test func connectionsAndTheirAnswersAreBounded() throws {
        var stage = Stage()
        stage.take(stage.client.start(at: .zero))
        stage.take(stage.client.permit(Self.peer.address, at: .zero))
        for number in 0..<100 as Range<UInt32> { stage.attempt(number, from: Self.peer) }
        #expect(stage.opening().count == 32)
        let id = try #require(stage.opening().first)
        _ = stage.client.opened(id, at: .zero)
        let oversized: [UInt8] = [1, 1, 0x7F, 0xFC] + [UInt8](repeating: 0, count: 40)
        #expect(stage.client.receive(oversized, on: id, at: .zero) == [.connectionFailed(id, .tampered)])
        #expect(stage.client.legClosed().last == .ended(.legFailed))
    }
}
