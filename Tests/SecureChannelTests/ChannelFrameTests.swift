import SansIO
import Testing

@testable import SecureChannel

/// Frames, and what the multiplexer's own channels carry.
@Suite struct ChannelFrameTests {
    private static func frames(_ pieces: [[UInt8]]) throws(WireError) -> [ChannelFrame] {
        var (deframer, frames) = (ChannelDeframer(), [ChannelFrame]())
        for piece in pieces {
            deframer.append(piece)
            while let frame = try deframer.next() { frames.append(frame) }
        }
        return frames
    }

    private static func frame(_ channel: UInt16, _ payload: [UInt8]) -> ChannelFrame {
        ChannelFrame(channel: Multiplexer.ChannelID(rawValue: channel), payload: payload)
    }

    @Test(
        arguments: [
            (0x1234, [0x41, 0x43, 0x4B], [0x92, 0xCD, 0x12, 0x34, 0xC4, 3, 0x41, 0x43, 0x4B]),
            (0x1234, [], [0x92, 0xCD, 0x12, 0x34, 0xC4, 0]), (0, [7], [0x92, 0, 0xC4, 1, 7]),
            (1, [7], [0x92, 1, 0xC4, 1, 7]), (0x80, [7], [0x92, 0xCC, 0x80, 0xC4, 1, 7]),
        ] as [(UInt16, [UInt8], [UInt8])])
    func aFrameIsAnArrayOfChannelAndBytes(channel: UInt16, payload: [UInt8], bytes: [UInt8]) throws {
        #expect(Self.frame(channel, payload).bytes == bytes)
        #expect(try Self.frames([bytes]) == [Self.frame(channel, payload)])
    }

    @Test(
        arguments: [
            [0x92, 0xCF, 0, 0, 0, 0, 0, 0, 0x12, 0x34, 0xC6, 0, 0, 0, 1, 7],
            [0xDC, 0, 2, 0xCE, 0, 0, 0x12, 0x34, 0xC5, 0, 1, 7], [0xDD, 0, 0, 0, 2, 0xCD, 0x12, 0x34, 0xA1, 7],
            [0x92, 0xD1, 0x12, 0x34, 0xD9, 1, 7], [0x92, 0xD3, 0, 0, 0, 0, 0, 0, 0x12, 0x34, 0xDA, 0, 1, 7],
            [0xDD, 0, 0, 0, 2, 0xD3, 0, 0, 0, 0, 0, 0, 0x12, 0x34, 0xDB, 0, 0, 0, 1, 7],
        ] as [[UInt8]])
    func numbersMayHaveAnyWidth(bytes: [UInt8]) throws {
        let expected = [Self.frame(0x1234, [7]), Self.frame(0x1234, [7])]
        #expect(try Self.frames([bytes + bytes]) == expected)
        #expect(try Self.frames((bytes + bytes).map { [$0] }) == expected)
    }

    @Test(
        arguments: [
            [0x93, 1, 0xC4, 0, 0], [0x91, 1], [0x82, 1, 0xC4, 0, 0, 0], [0x92, 0xFF, 0xC4, 0],
            [0x92, 0xCE, 0, 1, 0, 0, 0xC4, 0], [0x92, 0xC3, 0xC4, 0], [0x92, 1, 0x93, 1, 2, 3],
            [0x92, 1, 0xC6, 0, 1, 0, 0], [0x92, 1, 0xC6, 0xFF, 0xFF, 0xFF, 0xFF], [0x92, 1, 0xDB, 0xFF, 0, 0, 0],
            [0xC1], [0x92, 1, 0xC1],
            [0xDD, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ] as [[UInt8]])
    func whatIsNoFrameEndsTheStream(bytes: [UInt8]) {
        #expect(throws: WireError.self) { try Self.frames([bytes]) }
        #expect(throws: WireError.self) { try Self.frames(bytes.map { [$0] }) }
        var multiplexer = Multiplexer(side: .client)
        guard case .failed? = multiplexer.receive(bytes, at: .zero).last else {
            Issue.record("did not fail")
            return
        }
        #expect(multiplexer.receive(bytes, at: .zero) == [.ignored(.over)])
    }

    @Test func noHeadMakesMoreThanOnePayloadBeKept() throws {
        var deframer = ChannelDeframer()
        deframer.append([0x92, 1, 0xC5, 0xFF, 0xFF])
        #expect(try deframer.next() == nil)
        #expect(deframer.unfinishedCount == 0)
        deframer.append([UInt8](repeating: 5, count: 65_534))
        #expect(try deframer.next() == nil)
        #expect(deframer.unfinishedCount == 65_534)
        deframer.append([5, 0x92])
        #expect(try deframer.next()?.payload.count == 65_535)
        #expect(try deframer.next() == nil)
        #expect(deframer.unfinishedCount == 1)
    }

    @Test func requestsAreArraysOfThree() throws {
        let request = ChannelRequest(name: "sip", channel: .init(rawValue: 0x1234), state: .request)
        #expect(request.frame.bytes == [0x92, 0, 0xC4, 9, 0x93, 0xA3, 0x73, 0x69, 0x70, 0xCD, 0x12, 0x34, 0])
        for state: ChannelRequest.State in [.request, .accept, .decline] {
            let request = ChannelRequest(name: "a/β", channel: .init(rawValue: 1), state: state)
            let bytes = request.bytes
            var reader = MessagePackReader(bytes.span)
            #expect(try ChannelRequest(from: &reader) == request)
        }
    }

    @Test func versionsAndBeaconsAreMaps() {
        #expect(ProtocolMessage.version(1).frame.bytes == [0x92, 0xCD, 0xFF, 0xFF, 0xC4, 4, 0x81, 0xA1, 0x76, 1])
        #expect(ProtocolMessage.ping.frame.bytes == [0x92, 0xCD, 0xFF, 0xFF, 0xC4, 4, 0x81, 0xA1, 0x70, 0xC3])
        #expect(ProtocolMessage.pong.frame.bytes == [0x92, 0xCD, 0xFF, 0xFF, 0xC4, 4, 0x81, 0xA1, 0x70, 0xC2])
    }

    @Test func damageIsAnErrorAtWorst() {
        var random = RandomSource.seeded(21)
        let control = (0..<4).flatMap {
            ChannelRequest(name: "name \($0)", channel: .init(rawValue: UInt16($0) + 1), state: .request).frame.bytes
        }
        let whole = control + ProtocolMessage.ping.frame.bytes + Self.frame(2, random.bytes(300)).bytes
        for _ in 0..<4000 {
            let bytes = whole.mutated(using: &random)
            var (atOnce, byByte) = (Multiplexer(side: .server), Multiplexer(side: .server))
            let expected = atOnce.receive(bytes, at: .zero)
            let effects = bytes.flatMap { byByte.receive([$0], at: .zero) }
            #expect(effects.filter { $0 != .ignored(.over) } == expected)
            #expect(atOnce.unfinishedByteCount <= ChannelFrame.payloadLimit)
        }
    }
}
