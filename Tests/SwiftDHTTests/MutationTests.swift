import Foundation
import SansIO
import SwiftDHT
import TestVectors
import Testing

/// Damaged input must be refused, never trap, and never grow without bound.
@Suite struct MutationTests {
    private func captures() throws -> [[UInt8]] {
        var packets: [[UInt8]] = []
        for (file, list) in [("packets_client", "packets"), ("packets_server", "exchanges")] {
            let releases = try #require(try TestVectors.object("opendht/\(file).json") as? [String: Any])
            for release in ["24", "44"] {
                let entry = try #require(releases[release] as? [String: Any])
                for item in try #require(entry[list] as? [[String: Any]]) {
                    for packet in item["exchange"] as? [[String: Any]] ?? [item] {
                        packets.append(hex(try #require(packet["hex"] as? String)))
                    }
                }
            }
        }
        return packets
    }

    private func mutate(_ bytes: [UInt8], using random: inout RandomSource) -> [UInt8] {
        var bytes = bytes
        for _ in 0...Int.random(in: 0..<4, using: &random) where !bytes.isEmpty {
            let index = Int.random(in: bytes.indices, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: bytes[index] = UInt8.random(in: 0...255, using: &random)
            case 2: bytes.removeLast(bytes.count - index)
            case 3: bytes.insert(contentsOf: random.bytes(Int.random(in: 1..<9, using: &random)), at: index)
            default: bytes.remove(at: index)
            }
        }
        return bytes
    }

    @Test func damagedPacketsNeverTrapAndSoundOnesKeepTheirMeaning() throws {
        var random = RandomSource.seeded(2)
        let captures = try captures()
        for round in 0..<20_000 {
            let bytes = mutate(captures[round % captures.count], using: &random)
            guard let packet = try? Packet(decoding: bytes) else { continue }
            #expect(try Packet(decoding: packet.encoded) == packet)
        }
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func aNodeSurvivesDamagedPackets(seed: UInt64) throws {
        var random = RandomSource.seeded(seed)
        let captures = try captures()
        var configuration = Configuration()
        configuration.limitsRequestRate = false
        let key = InfoHash(hashing: "key")
        let peers = (1...5).map { Endpoint(.v4(0x7F00_0001), port: UInt16($0)) }
        var dht = DHT(
            configuration: configuration, id: InfoHash(hashing: "node"), verifier: FakeKey(name: "any"),
            clock: World.clock, random: .seeded(seed))
        var now = Instant.zero
        _ = dht.bootstrap(peers, at: now)
        _ = dht.put(Value(id: Value.ID(1), data: [1]), at: key, permanently: true, as: OperationID(1), at: now)
        _ = dht.listen(key, as: OperationID(2), at: now)
        var sent: [(packet: Packet, to: Endpoint)] = []
        for round in 0..<6000 {
            now = now.advanced(by: random.duration(in: .zero...(.milliseconds(50))))
            var bytes = captures[Int.random(in: captures.indices, using: &random)]
            var source = peers[Int.random(in: peers.indices, using: &random)]
            // Half of the time answer what the node really asked, so that damage reaches the inner states.
            if let last = sent.popLast(), Bool.random(using: &random) {
                source = last.to
                var reply = Reply(sender: InfoHash(hashing: "\(last.to.port)"), observed: .v4(0x0102_0304))
                reply.token = [1, 2, 3]
                reply.values = [.whole(Value(id: Value.ID(UInt64(round + 1)), data: [7])), .announced(3000)]
                reply.nodes4 = [CompactNode(id: .random(using: &random), endpoint: peers[0])]
                bytes = Packet(.reply(reply), transaction: last.packet.transaction).encoded
            }
            if Int.random(in: 0..<3, using: &random) > 0 { bytes = mutate(bytes, using: &random) }
            var effects = dht.receive(bytes.span, from: source, at: now)
            if let deadline = dht.deadline, deadline <= now { effects += dht.advance(to: now) }
            if round % 500 == 0 { effects += dht.get(key, as: OperationID(UInt64(1000 + round)), at: now) }
            for case .send(let bytes, let target) in effects {
                let packet = try Packet(decoding: bytes)
                if case .request = packet.message { sent.append((packet, target)) }
            }
            if sent.count > 64 { sent.removeFirst(sent.count - 64) }
        }
        #expect(dht.counters.datagramsReceived == 6000)
    }
}
