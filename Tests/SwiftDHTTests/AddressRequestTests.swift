import SansIO
import SwiftDHT
import Testing

@Suite struct AddressRequestTests {
    private let node = Endpoint(.v4(0x0A00_0001), port: 4222)
    private let seen = Endpoint(.v4(0xCB00_7105), port: 61_234)

    /// What a request sends first.
    private func begin(_ request: inout AddressRequest) throws -> Packet {
        let effects = request.start(at: .zero)
        guard case .send(let bytes, let target)? = effects.first else {
            Issue.record("nothing is sent")
            throw WireError.truncated(at: 0)
        }
        #expect(target == node)
        return try Packet(decoding: bytes)
    }

    @Test func aNodeOfOursTellsAddressAndPort() throws {
        var random = RandomSource.seeded(1)
        var request = AddressRequest(asking: node, random: &random)
        let ping = try begin(&request)
        #expect(ping.isClient, "nobody may take the socket for a node")
        var dht = DHT(
            id: .random(using: &random), clock: WallClock(epochOffset: 0), random: random.split())
        let effects = dht.receive(ping.encoded.span, from: seen, at: .zero)
        let answers = effects.compactMap { if case .send(let bytes, seen) = $0 { bytes } else { nil } }
        let answer = try #require(answers.first)
        let result = request.receive(answer.span, from: node, at: Instant.zero.advanced(by: .milliseconds(30)))
        #expect(result == [.answered(seen.address, port: seen.port, roundTrip: .milliseconds(30))])
        #expect(request.deadline == nil)
    }

    @Test func aStockNodeTellsTheAddressAlone() throws {
        var random = RandomSource.seeded(2)
        var request = AddressRequest(asking: node, random: &random)
        let ping = try begin(&request)
        let reply = Packet(
            .reply(Reply(sender: .random(using: &random), observed: seen.address)), transaction: ping.transaction)
        let result = request.receive(reply.encoded.span, from: node, at: .zero)
        #expect(result == [.answered(seen.address, port: nil, roundTrip: .zero)])
    }

    @Test func othersDoNotAnswerForTheNode() throws {
        var random = RandomSource.seeded(3)
        var request = AddressRequest(asking: node, random: &random)
        let ping = try begin(&request)
        let sender = NodeID.random(using: &random)
        let reply = Packet(.reply(Reply(sender: sender, seeing: seen)), transaction: ping.transaction)
        let stranger = Packet(.reply(Reply(sender: sender, seeing: seen)), transaction: ping.transaction &+ 1)
        let foreign = Packet(.reply(Reply(sender: sender, seeing: seen)), transaction: ping.transaction, network: 7)
        #expect(request.receive(reply.encoded.span, from: seen, at: .zero) == [.ignored])
        #expect(request.receive(stranger.encoded.span, from: node, at: .zero) == [.ignored])
        #expect(request.receive(foreign.encoded.span, from: node, at: .zero) == [.ignored])
        #expect(request.receive([0xFF, 0x00].span, from: node, at: .zero) == [.ignored])
        #expect(request.deadline != nil)
    }

    @Test func silenceEndsAfterThreeTimes() throws {
        var random = RandomSource.seeded(4)
        var request = AddressRequest(asking: node, random: &random)
        _ = try begin(&request)
        var effects: [AddressRequest.Effect] = []
        var now = Instant.zero
        while let next = request.deadline {
            now = next
            effects += request.advance(to: now)
        }
        #expect(effects.count == AddressRequest.attempts)
        #expect(effects.last == .failed)
        #expect(Instant.zero.duration(to: now) == AddressRequest.firstWait * 7)
    }

    @Test func thePortTravelsAndIsNotNeeded() throws {
        var random = RandomSource.seeded(5)
        let sender = NodeID.random(using: &random)
        let told = Packet(.reply(Reply(sender: sender, seeing: seen)), transaction: 9)
        #expect(try Packet(decoding: told.encoded) == told)
        let untold = Packet(.reply(Reply(sender: sender, observed: seen.address)), transaction: 9)
        #expect(try Packet(decoding: untold.encoded) == untold)
    }
}
