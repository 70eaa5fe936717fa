import SansIO
import TestVectors
import Testing

@testable import SecureChannel

/// One application write of a recorded connection.
private struct RecordedWrite {
    let from: String
    let bytes: [UInt8]

    /// Between two 13.7.0 daemons; data frames of their SIP are not in the record.
    static func stock() throws -> [RecordedWrite] {
        struct Entry: Decodable {
            let from: String
            let hex: String
        }
        let entries: [Entry] = try TestVectors.json("jami/channel-control-frames.json")
        return entries.map { RecordedWrite(from: $0.from, bytes: hex($0.hex)) }
    }

    /// Between two peers of today's connection layer. A long body is recorded by its beginning and length.
    static func today() throws -> [RecordedWrite] {
        struct Entry: Decodable {
            let from: String
            let plaintext: String?
            let plaintext_len: Int?
        }
        struct File: Decodable { let frames: [Entry] }
        let file: File = try TestVectors.json("jami-now/channel-frames.json")
        return file.frames.compactMap { entry in
            guard let text = entry.plaintext, let count = entry.plaintext_len else { return nil }
            guard text.hasSuffix("...") else { return RecordedWrite(from: entry.from, bytes: hex(text)) }
            let start = hex(String(text.dropLast(3)))
            return RecordedWrite(from: entry.from, bytes: (0..<count).map { start[$0 % start.count] })
        }
    }
}

@Suite struct RecordedChannelTests {
    private static func frames(_ writes: [RecordedWrite], from name: String) throws -> [ChannelFrame] {
        var (deframer, frames) = (ChannelDeframer(), [ChannelFrame]())
        for write in writes where write.from == name {
            deframer.append(write.bytes)
            while let frame = try deframer.next() { frames.append(frame) }
        }
        #expect(deframer.unfinishedCount == 0)
        return frames
    }

    /// Writes again what a payload of the multiplexer's own channels says.
    private static func rewritten(_ frame: ChannelFrame) throws -> ChannelFrame {
        let payload = frame.payload
        var reader = MessagePackReader(payload.span)
        switch frame.channel {
        case .control: return try ChannelRequest(from: &reader).frame
        case .protocol:
            var messages: [ProtocolMessage] = []
            try ProtocolMessage.read(&reader, into: &messages)
            return try #require(messages.first).frame
        default: return frame
        }
    }

    @Test func bothErasAreReadAndWrittenByteByByte() throws {
        for (writes, count) in [(try RecordedWrite.stock(), 12), (try RecordedWrite.today(), 23)] {
            var total = 0
            for name in ["alice", "bob"] {
                let frames = try Self.frames(writes, from: name)
                total += frames.count
                #expect(frames.flatMap(\.bytes) == writes.filter { $0.from == name }.flatMap(\.bytes))
                for frame in frames { #expect(try Self.rewritten(frame) == frame) }
            }
            #expect(total == count)
        }
    }

    /// Two of ours, told to do what the recorded peers did, write the same bytes in the same order.
    @Test func ourMultiplexersRepeatARecordedConnection() throws {
        var replay = Replay()
        let writes = try RecordedWrite.today()
        var unfinished: [UInt8] = []
        for write in writes {
            unfinished += write.bytes
            var deframer = ChannelDeframer()
            deframer.append(unfinished)
            guard let frame = try deframer.next() else { continue }
            #expect(try replay.write(frame, from: write.from) == unfinished)
            unfinished = []
        }
        let opened: Set<UInt16> = [0x8000, 0x8003, 0x8004, 1]
        for name in ["alice", "bob"] {
            #expect(Set(opened.filter { replay.sides[name]?.isOpen(.init(rawValue: $0)) == true }) == opened)
        }
        #expect(replay.received.map(\.count) == [18, 7, 9000, 9000])
        #expect(replay.refusals.isEmpty)
    }
}

/// The two ends of a recorded connection; the requester, alice, is the TLS server.
private struct Replay {
    var sides = ["alice": Multiplexer(side: .server), "bob": Multiplexer(side: .client)]
    var received: [[UInt8]] = []
    var refusals: [Multiplexer.Effect] = []
    /// What each side wrote and was not compared yet.
    private var written: [String: [[UInt8]]] = ["alice": [], "bob": []]

    /// Makes a side do what its recorded frame says, hands the other side what it wrote, and returns that.
    mutating func write(_ frame: ChannelFrame, from name: String) throws -> [UInt8] {
        if written[name]?.isEmpty == true { take(try act(frame, as: name), of: name) }
        let bytes = try #require(written[name]?.first)
        written[name]?.removeFirst()
        let other = name == "alice" ? "bob" : "alice"
        take(sides[other]?.receive(bytes, at: .zero) ?? [], of: other)
        return bytes
    }

    private mutating func act(_ frame: ChannelFrame, as name: String) throws -> [Multiplexer.Effect] {
        let payload = frame.payload
        var reader = MessagePackReader(payload.span)
        switch frame.channel {
        case .control:
            let request = try ChannelRequest(from: &reader)
            switch request.state {
            case .request: return sides[name]?.open(request.name, at: .zero).1 ?? []
            case .accept: return sides[name]?.accept(request.channel) ?? []
            case .decline: return sides[name]?.decline(request.channel) ?? []
            }
        case .protocol:
            var messages: [ProtocolMessage] = []
            try ProtocolMessage.read(&reader, into: &messages)
            guard case .version? = messages.first else { return sides[name]?.ping(at: .zero) ?? [] }
            return sides[name]?.start(at: .zero) ?? []
        default:
            guard !payload.isEmpty else { return sides[name]?.close(frame.channel) ?? [] }
            return sides[name]?.send(payload, on: frame.channel) ?? []
        }
    }

    private mutating func take(_ effects: [Multiplexer.Effect], of name: String) {
        for effect in effects {
            switch effect {
            case .send(let bytes): written[name]?.append(bytes)
            case .received(let bytes, _): received.append(bytes)
            case .ignored, .failed, .unresponsive: refusals.append(effect)
            case .requested, .opened, .declined, .closed, .alive: break
            }
        }
    }
}
