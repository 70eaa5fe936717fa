import SansIO
import SwiftICE
import TestVectors
import Testing

struct FramingTests {
    struct Vector: Decodable {
        let messages: [String]
        let stream, stun_in_frame: String
        let splits: [[Int]]
    }

    @Test func everySplitGivesTheSameFrames() throws {
        let vector: Vector = try TestVectors.json("ice/rfc4571-framing.json")
        let (messages, stream) = (vector.messages.map(hex), hex(vector.stream))
        #expect(messages.flatMap { StreamFraming.frame($0) } == stream)
        for split in vector.splits {
            #expect(deframed(stream, split) == messages)
        }
        let stun = deframed(hex(vector.stun_in_frame), [7])
        #expect(stun.count == 1)
        #expect(try Message(decoding: stun[0]).has(.useCandidate))
    }

    private func deframed(_ stream: [UInt8], _ split: [Int]) -> [[UInt8]] {
        var (deframer, payloads, rest) = (StreamDeframer(), [[UInt8]](), stream[...])
        for count in split + [stream.count] {
            payloads += deframer.take(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        return payloads
    }

    @Test func longDataIsCutIntoFrames() {
        let data = (0..<70_000).map { UInt8(truncatingIfNeeded: $0) }
        var deframer = StreamDeframer()
        let payloads = deframer.take(StreamFraming.frame(data, limit: 65_533))
        #expect(payloads.map(\.count) == [65_533, 4_467])
        #expect(payloads.flatMap { $0 } == data)
    }

    @Test func randomStreamsNeverTrap() {
        var random = RandomSource.seeded(3)
        for _ in 0..<200 {
            var (frames, turn) = (StreamDeframer(), TURNDeframer())
            for _ in 0..<20 {
                let bytes = random.bytes(Int.random(in: 0..<200, using: &random)).map { $0 & 0x4F }
                _ = frames.take(bytes)
                guard (try? turn.take(bytes)) != nil else { break }
            }
        }
    }

    struct Channels: Decodable {
        struct Case: Decodable { let channel, data, udp, tcp: String }
        let cases: [Case]
    }

    @Test func channelDataIsFramedForBothTransports() throws {
        let vector: Channels = try TestVectors.json("ice/turn-channeldata.json")
        var (deframer, stream) = (TURNDeframer(), [UInt8]())
        var expected: [TURNDeframer.Element] = []
        for item in vector.cases {
            let channel = try #require(UInt16(item.channel.dropFirst(2), radix: 16))
            let message = try #require(ChannelData(channel: channel, data: hex(item.data)))
            #expect(message.datagram == hex(item.udp))
            #expect(message.framed == hex(item.tcp))
            #expect(try ChannelData(decoding: hex(item.udp)) == message)
            #expect(try ChannelData(decoding: hex(item.tcp)) == message)
            stream += message.framed
            expected.append(.channelData(message))
        }
        var elements: [TURNDeframer.Element] = []
        for byte in stream { elements += try deframer.take([byte]) }
        #expect(elements == expected)
        #expect(ChannelData(channel: 0x3FFF, data: []) == nil)
        #expect(ChannelData(channel: 0x8000, data: []) == nil)
        #expect(throws: WireError.self) { try ChannelData(decoding: hex("4000000561")) }
        #expect(throws: WireError.self) { try ChannelData(decoding: hex("80000000")) }
    }

    @Test func turnStreamsOfARealServerAreCutIntoMessages() throws {
        var deframer = TURNDeframer()
        let messages = try STUNVectorTests.recordings().map(\.bytes).filter { Message.isSTUN($0.span) }
        let elements = try deframer.take(messages.flatMap { $0 })
        #expect(elements == messages.map { .message($0) })
    }
}

// Spans of temporaries inside larger expressions are more than the compiler verifies; these take arrays.
extension StreamDeframer {
    fileprivate mutating func take(_ bytes: [UInt8]) -> [[UInt8]] { receive(bytes.span) }
}

extension TURNDeframer {
    fileprivate mutating func take(_ bytes: [UInt8]) throws(WireError) -> [Element] { try receive(bytes.span) }
}
