import SIPLite
import SansIO
import TestVectors
import Testing

@Suite("Framing of streams")
struct StreamFramerTests {
    private func frames(_ stream: [UInt8], cuts: [Int]) -> [StreamFramer.Frame] {
        var framer = StreamFramer()
        var frames: [StreamFramer.Frame] = []
        var start = 0
        for cut in cuts + [stream.count] {
            frames += framer.receive(Array(stream[start..<cut]).span)
            start = cut
        }
        return frames
    }

    private func messages(_ frames: [StreamFramer.Frame]) -> [Message] {
        frames.compactMap { if case .message(let message) = $0 { message } else { nil } }
    }

    @Test("Wherever a stream is cut, the same messages come out")
    func anySplit() throws {
        let captured = try MessageTests.captured()
        let stream = captured.flatMap(\.bytes)
        let whole = frames(stream, cuts: [])
        #expect(messages(whole).count == 55 && whole.count == 55)
        #expect(frames(stream, cuts: Array(1..<stream.count)) == whole)
        var random = RandomSource.seeded(3)
        for _ in 0..<50 {
            let cuts = (0..<40).map { _ in Int.random(in: 0...stream.count, using: &random) }.sorted()
            #expect(frames(stream, cuts: cuts) == whole)
        }
    }

    @Test("No part of a valid stream is an error")
    func prefixes() throws {
        let bytes = try TestVectors.bytes("jami/sip/004-bob-200-OK-for-INVITE.sip")
        for end in 0..<bytes.count { #expect(frames(Array(bytes[..<end]), cuts: []).isEmpty) }
    }

    @Test("Line ends between messages are skipped, two in a row are a ping")
    func keepalive() throws {
        let bytes = try TestVectors.bytes("jami/sip/005-alice-ACK.sip")
        let stream = Array("\r\n\r\n".utf8) + bytes + Array("\r\n".utf8) + bytes + Array("\r\n\r\n\r\n\r\n".utf8)
        for cuts in [[], Array(1..<stream.count)] {
            let found = frames(stream, cuts: cuts)
            #expect(messages(found).count == 2 && found.filter { $0 == .ping }.count == 3)
        }
    }

    @Test(
        "Where the next message starts must be beyond doubt",
        arguments: [
            "", "Content-Length: -1\r\n", "Content-Length: 1x\r\n", "Content-Length: 1\r\nl: 2\r\n",
            "Content-Length: 99999999999999999999\r\n", "Content-Length: 2000000\r\n", "Content-Length:\r\n",
        ])
    func lengths(field: String) {
        let stream = Array("OPTIONS sip:a SIP/2.0\r\n\(field)\r\nabc".utf8)
        let found = frames(stream, cuts: [])
        guard case .broken(.some, _) = found.first else {
            Issue.record("\(found)")
            return
        }
        #expect(found.count == 1)
    }

    @Test("A head that never ends is refused at its limit")
    func endless() {
        var framer = StreamFramer()
        var frames: [StreamFramer.Frame] = []
        let line = Array("A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n".utf8)
        for _ in 0..<3_000 { frames += framer.receive(line.span) }
        #expect(frames == [.broken(nil, .overLimit("header fields", limit: 65_536))])
        #expect(!framer.isUnfinished)
    }

    @Test("Where records may be lost, the next message starts over")
    func losses() {
        let whole = Array("MESSAGE sip:a SIP/2.0\r\nContent-Length: 8\r\n\r\n12345678".utf8)
        let pieces = [Array(whole[..<30]), Array(whole[30..<50]), Array(whole[50...])]
        for missing in pieces.indices {
            var framer = StreamFramer(mayLose: true)
            var found: [StreamFramer.Frame] = []
            for index in pieces.indices where index != missing {
                let piece = pieces[index]
                found += framer.receive(piece.span)
            }
            #expect(found.isEmpty)
            for piece in pieces { found += framer.receive(piece.span) }
            #expect(messages(found).map(\.body) == [Array("12345678".utf8)])
            #expect(!framer.isUnfinished)
        }
    }

    @Test("Where records may be lost, garbage does not outlive its record")
    func garbageRecords() {
        let whole = Array("SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n".utf8)
        var framer = StreamFramer(mayLose: true)
        var found: [StreamFramer.Frame] = []
        for garbage in [[0, 1, 2], [10, 10], Array("SIP/2.0 x\r\n\r\n".utf8), []] as [[UInt8]] {
            found += framer.receive(garbage.span)
        }
        found += framer.receive(whole.span)
        #expect(messages(found).map(\.status) == [200])
        let ping: [UInt8] = [13, 10, 13, 10]
        found = framer.receive(ping.span)
        #expect(found == [.ping])
    }

    @Test("Where records may be lost, changed ones never trap the framer")
    func lossyMutations() throws {
        var random = RandomSource.seeded(78)
        let stream = try MessageTests.captured().prefix(6).flatMap(\.bytes)
        for _ in 0..<500 {
            let changed = stream.mutated(using: &random)
            var framer = StreamFramer(mayLose: true)
            for start in stride(from: 0, to: changed.count, by: 700) {
                let record = Array(changed[start..<min(start + 700, changed.count)])
                _ = framer.receive(record.span)
            }
        }
    }

    @Test("Changed streams never trap the framer")
    func mutations() throws {
        var random = RandomSource.seeded(77)
        let stream = try MessageTests.captured().prefix(6).flatMap(\.bytes)
        for _ in 0..<1_500 {
            let changed = stream.mutated(using: &random)
            let cuts = (0..<5).map { _ in Int.random(in: 0...changed.count, using: &random) }.sorted()
            #expect(frames(changed, cuts: cuts) == frames(changed, cuts: []))
        }
    }
}
