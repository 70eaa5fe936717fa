import Foundation
import SansIO
import SwiftICE
import TestVectors
import Testing

/// Recorded conversations with coturn, in which our client takes the place of the recorded one.
struct TURNVectorTests {
    private struct Step {
        let isClient: Bool
        let leg: String
        let bytes: [UInt8]
    }

    private static let key = IntegrityKey(longTerm: "user", realm: "lab", password: "pass")

    private func steps(_ file: String) throws -> [Step] {
        let object = try #require(try TestVectors.object(file) as? [String: Any])
        let exchange = try #require(object["exchange"] as? [[String: Any]])
        return try exchange.map { entry in
            Step(
                isClient: entry["dir"] as? String == "client", leg: try #require(entry["leg"] as? String),
                bytes: hex(try #require(entry["hex"] as? String)))
        }
    }

    /// What a message says, apart from what belongs to its transaction.
    private func content(_ bytes: [UInt8]) throws -> [Attribute] {
        let unlike: Set<AttributeType> = [.messageIntegrity, .fingerprint, .lifetime, .software]
        return try Message(decoding: bytes).allAttributes.filter { !unlike.contains($0.type) }
    }

    /// The recorded answer, under our transaction.
    private func readdressed(_ recorded: [UInt8], to request: [UInt8]) throws -> [UInt8] {
        let message = try Message(decoding: recorded)
        var builder = MessageBuilder(message.type, try Message(decoding: request).transaction)
        var hasFingerprint = false
        for attribute in message.allAttributes {
            switch attribute.type {
            case .messageIntegrity: builder.addIntegrity(Self.key)
            case .fingerprint: hasFingerprint = true
            default: builder.add(attribute)
            }
        }
        return hasFingerprint ? builder.finishedWithFingerprint() : builder.finished()
    }

    private func bytes(_ effects: [TURNClient.Effect]) -> [[UInt8]] {
        effects.compactMap {
            switch $0 {
            case .send(let bytes), .write(let bytes, _): bytes
            default: nil
            }
        }
    }

    /// Our request must say what the recorded one says; returns what our client makes of the recorded answer.
    private func exchange(
        _ client: inout TURNClient, _ ours: [UInt8], _ recorded: Step, _ answer: Step,
        on id: TURNClient.ConnectionID? = nil
    ) throws -> [TURNClient.Effect] {
        #expect(try content(ours) == content(recorded.bytes))
        #expect(try Message(decoding: ours).type == Message(decoding: recorded.bytes).type)
        let reply = try readdressed(answer.bytes, to: ours)
        guard let id else { return client.receive(reply, at: .zero) }
        return client.receive(reply, on: id, at: .zero)
    }

    @Test(arguments: [STUNClient.Leg.datagram, .stream]) func coturnServesDatagrams(_ leg: STUNClient.Leg) throws {
        var steps = try steps(leg == .datagram ? "ice/turn-flow-coturn-udp.json" : "ice/turn-flow-coturn-tcp.json")
        steps.removeFirst(2)
        var client = TURNClient(
            leg: leg, credentials: .longTerm(username: "user", password: "pass"), random: .seeded(1))
        let first = try #require(bytes(client.start(at: .zero)).first)
        let challenged = try exchange(&client, first, steps[0], steps[1])
        let second = try #require(bytes(challenged).first)
        let allocated = try exchange(&client, second, steps[2], steps[3])
        guard case .allocated(let allocation) = allocated.first else {
            Issue.record("no allocation")
            return
        }
        #expect(allocation.relayed.map(\.address) == [.v4(0x1400_000A)])
        #expect(allocation.mapped?.address == .v4(0x1400_000A) && allocation.lifetime == .seconds(600))
        // steps[4] is an indication before there is a permission, which our client does not send.
        guard case .xorAddress(_, let peer) = try Message(decoding: steps[7].bytes).first(.xorPeerAddress) else {
            Issue.record("no peer")
            return
        }
        #expect(client.send([1], to: peer, at: .zero) == [.ignored(.notPermitted(peer.address))])
        let permission = try #require(bytes(client.permit(peer.address, at: .zero)).first)
        #expect(try exchange(&client, permission, steps[5], steps[6]) == [.permitted(peer.address)])
        let hello = try #require(bytes(client.send(Array("hello via Send".utf8), to: peer, at: .zero)).first)
        #expect(try content(hello) == content(steps[7].bytes))
        #expect(client.receive(steps[8].bytes, at: .zero) == [.received(Array("reply".utf8), from: peer)])
        let bind = try #require(bytes(client.bindChannel(to: peer, at: .zero)).first)
        #expect(try exchange(&client, bind, steps[9], steps[10]) == [.bound(channel: 0x4000, to: peer)])
        let recorded = try ChannelData(decoding: steps[11].bytes)
        let sent = try #require(bytes(client.send(recorded.data, to: peer, at: .zero)).first)
        #expect(sent == (leg == .stream ? recorded.framed : recorded.datagram))
        let received = try ChannelData(decoding: steps[12].bytes)
        let onWire = leg == .stream ? received.framed : steps[12].bytes
        #expect(client.receive(onWire, at: .zero) == [.received(received.data, from: peer)])
        let loopback = IPAddress.loopback(.v4)
        let refused = try #require(bytes(client.permit(loopback, at: .zero)).first)
        #expect(
            try exchange(&client, refused, steps[15], steps[16])
                == [.permissionFailed(loopback, .rejected(.forbidden))])
        let free = try #require(bytes(client.release(at: .zero)).first)
        #expect(try exchange(&client, free, steps[23], steps[24]) == [.ended(.released)])
    }

    @Test func coturnConnectsToPeers() throws {
        let steps = try steps("ice/turn-flow-coturn-rfc6062.json")
        var request = TURNClient.Request()
        (request.transport, request.lifetime) = (.tcp, nil)
        var client = TURNClient(
            request: request, leg: .stream, credentials: .longTerm(username: "user", password: "pass"),
            random: .seeded(2))
        let first = try #require(bytes(client.start(at: .zero)).first)
        let second = try #require(bytes(try exchange(&client, first, steps[0], steps[1])).first)
        _ = try exchange(&client, second, steps[2], steps[3])
        guard case .xorAddress(_, let peer) = try Message(decoding: steps[4].bytes).first(.xorPeerAddress) else {
            Issue.record("no peer")
            return
        }
        let (number, effects) = client.connect(to: peer, at: .zero)
        let id = try #require(number)
        let connect = try #require(bytes(effects).first)
        #expect(try exchange(&client, connect, steps[4], steps[5]) == [.open(id)])
        let bind = try #require(bytes(client.opened(id, at: .zero)).first)
        #expect(try exchange(&client, bind, steps[6], steps[7], on: id) == [.connected(id, peer: peer)])
        #expect(client.receive(steps[8].bytes, on: id, at: .zero) == [.piped(steps[8].bytes, on: id)])
        let permit = try #require(bytes(client.permit(peer.address, at: .zero)).first)
        #expect(try exchange(&client, permit, steps[9], steps[10]) == [.permitted(peer.address)])
        guard case .open(let incoming) = client.receive(steps[11].bytes, at: .zero).first else {
            Issue.record("no attempt")
            return
        }
        let second6062 = try #require(bytes(client.opened(incoming, at: .zero)).first)
        let bound = try exchange(&client, second6062, steps[12], steps[13], on: incoming)
        guard case .connected(incoming, let other) = bound.first else {
            Issue.record("not connected")
            return
        }
        #expect(other.address == peer.address)
    }
}
