import SIPLite
import SansIO
import Testing

@Suite("Hostile flows")
struct HostileFlowTests {
    @Test("Changed messages never trap an agent, nor leave it without rest", arguments: 1...20)
    func mutations(seed: UInt64) throws {
        var random = RandomSource.seeded(seed)
        let captured = try MessageTests.captured().map(\.bytes)
        for round in 0..<30 {
            var pair = Pair.talking(seed: seed, link: .init(isReliable: false, isByteStream: false))
            // What was really said in this call is nearer to the agent's state than any capture.
            let corpus = pair.sent[0] + pair.sent[1] + [captured[(round * 7) % captured.count]]
            for _ in 0..<20 {
                let bytes = corpus[Int.random(in: 0..<corpus.count, using: &random)].mutated(using: &random)
                pair.deliver(bytes, to: Bool.random(using: &random) ? .alice : .bob)
                if let id = pair.incoming(.bob) { pair.command(.bob) { $0.ring(id, at: $1) } }
            }
            pair.run(for: .seconds(1))
            pair.command(.alice) { $0.hangUp(Pair.call, at: $1) }
            pair.run(for: .seconds(300))
            #expect(pair.ends(.alice).count == 1)
            #expect(pair.agents.allSatisfy { $0.deadline == nil }, "seed \(seed) round \(round)")
        }
    }

    @Test("Bytes that are no SIP break a stream once, and the agent asks for its end")
    func garbage() {
        var pair = Pair()
        pair.deliver(Array("\u{16}\u{3}\u{1} hello\r\n\r\n".utf8), to: .bob)
        #expect(pair.has(.bob) { $0 == .abandon(Pair.flow) })
        let count = pair.events[1].count
        pair.deliver(Array("more\r\n\r\n".utf8), to: .bob)
        #expect(pair.events[1].count == count)
    }

    @Test("A message that is never finished ends the flow after a while")
    func unfinished() {
        var pair = Pair()
        pair.deliver(Array("OPTIONS sip:a SIP/2.0\r\nVia".utf8), to: .bob)
        pair.run(for: .seconds(31))
        #expect(pair.events[1].isEmpty)
        pair.run(for: .seconds(2))
        #expect(pair.events[1] == [.abandon(Pair.flow)])
    }

    @Test("A flood of invitations stops at the limits, and everything is forgotten in time")
    func flood() throws {
        var pair = Pair.calling()
        let template = String(decoding: try #require(pair.sent[0].first), as: UTF8.self)
        let essentials = try Message(decoding: pair.sent[0][0]).essentials()
        let branch = try #require(essentials.via.branch)
        for number in 0..<600 {
            let text = template.replacing(branch, with: "\(branch)\(number)")
                .replacing(essentials.callID, with: "flood\(number)")
            pair.deliver(Array(text.utf8), to: .bob)
        }
        let calls = pair.events[1].filter { if case .incoming = $0 { true } else { false } }.count
        #expect(calls == 256)
        #expect(pair.startLines(.bob).contains("SIP/2.0 503 Service Unavailable"))
        pair.run(for: .seconds(200))
        #expect(pair.agents[1].deadline == nil)
    }

    @Test("Methods nobody serves are refused with 405 and 501, requests of unknown calls with 481")
    func refusals() throws {
        var pair = Pair()
        func request(_ method: String, tag: String = "") -> [UInt8] {
            let text = """
                \(method) sips:10.0.0.2:4002;transport=tls SIP/2.0
                Via: SIP/2.0/TLS 10.0.0.1:4001;rport;branch=z9hG4bK\(method)
                From: <sip:\(Pair.accounts[0])@ring.dht>;tag=1
                To: <sips:x@10.0.0.2>\(tag)
                Call-ID: c
                CSeq: 1 \(method)
                Content-Length: 0


                """
            return Array(text.replacing("\n", with: "\r\n").utf8)
        }
        for method in ["REGISTER", "DANCE", "OPTIONS"] { pair.deliver(request(method), to: .bob) }
        pair.deliver(request("BYE", tag: ";tag=9"), to: .bob)
        pair.deliver(request("ACK", tag: ";tag=9"), to: .bob)
        #expect(
            pair.startLines(.bob) == [
                "SIP/2.0 405 Method Not Allowed", "SIP/2.0 501 Not Implemented", "SIP/2.0 200 OK",
                "SIP/2.0 481 Call/Transaction Does Not Exist",
            ])
    }
}
