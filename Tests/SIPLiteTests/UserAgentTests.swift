import Foundation
import SIPLite
import SansIO
import Testing

@Suite("Calls between two agents")
struct UserAgentTests {
    @Test("An agent without flows has nothing to do")
    func idle() {
        #expect(UserAgent(random: .seeded(1)).deadline == nil)
    }

    @Test("A call is answered, confirmed and hung up", arguments: [Pair.Side.alice, .bob])
    func answered(leaver: Pair.Side) throws {
        var pair = Pair.talking()
        let id = try #require(pair.incoming(.bob))
        #expect(pair.wasAnswered(.alice) && pair.wasConfirmed(.bob))
        #expect(pair.has(.alice) { $0 == .trying(Pair.call) } && pair.has(.alice) { $0 == .ringing(Pair.call) })
        pair.command(leaver) { $0.hangUp(leaver == .alice ? Pair.call : id, at: $1) }
        pair.run(for: .seconds(1))
        #expect(pair.ends(leaver) == [.hungUp] && pair.ends(leaver.other) == [.remoteHungUp])
        pair.run(for: .seconds(100))
        #expect(pair.agents.allSatisfy { $0.deadline == nil })
    }

    @Test("The messages of a call have the forms Jami peers expect")
    func forms() throws {
        let pair = Pair.talking()
        let invite = try Message(decoding: try #require(pair.sent[0].first))
        #expect(pair.startLines(.alice)[0] == "INVITE sips:10.0.0.2:4002;transport=tls SIP/2.0")
        let essentials = try invite.essentials()
        #expect(essentials.from.uri.description == "sip:\(Pair.accounts[0])@ring.dht")
        #expect(invite.fields.text(.to) == "<sips:\(Pair.accounts[1])@10.0.0.2>")
        #expect(invite.fields.text(.contact) == "\"alice\" <sips:\(Pair.devices[0])@10.0.0.1:4001;transport=tls>")
        #expect(invite.fields.text(.via)?.hasPrefix("SIP/2.0/TLS 10.0.0.1:4001;rport;branch=z9hG4bK") == true)
        #expect(invite.fields.text(.userAgent)?.contains("Jami Daemon 13.7.0 ") == true)
        #expect(invite.allow.contains(.message))
        #expect(invite.fields.text(.subject) == "Phone call")
        #expect(
            pair.startLines(.bob).prefix(3) == ["SIP/2.0 100 Trying", "SIP/2.0 180 Ringing", "SIP/2.0 200 OK"])
        #expect(pair.startLines(.alice)[1] == "ACK sips:\(Pair.devices[1])@10.0.0.2:4002;transport=tls SIP/2.0")
        let ok = try Message(decoding: pair.sent[1][2])
        #expect(try ok.essentials().via.parameters["rport"] == "4001")
        #expect(try ok.essentials().via.parameters["received"] == "10.0.0.1")
    }

    @Test("Flows of the first era say dtls in their URIs")
    func firstEra() throws {
        let pair = Pair.talking(link: .init(isReliable: false, transport: .dtls))
        #expect(pair.startLines(.alice)[0] == "INVITE sips:10.0.0.2:4002;transport=dtls SIP/2.0")
        #expect(pair.wasAnswered(.alice) && pair.wasConfirmed(.bob))
    }

    @Test("Messages that arrive in pieces make the same call", arguments: 1...10)
    func pieces(seed: UInt64) {
        var pair = Pair.talking(seed: seed, link: .init(cutsMessages: true))
        #expect(pair.wasAnswered(.alice) && pair.wasConfirmed(.bob))
        pair.command(.alice) { $0.hangUp(Pair.call, at: $1) }
        pair.run(for: .seconds(100))
        #expect(pair.ends(.bob) == [.remoteHungUp] && pair.agents.allSatisfy { $0.deadline == nil })
    }

    @Test("The same seed makes the same call, byte for byte")
    func deterministic() {
        #expect(Pair.talking(seed: 5).sent == Pair.talking(seed: 5).sent)
        #expect(Pair.talking(seed: 5).sent != Pair.talking(seed: 6).sent)
    }

    @Test("A declined call is rejected with 486")
    func declined() {
        var pair = Pair.calling { pair, side, id in pair.command(side) { $0.decline(id, at: $1) } }
        pair.run(for: .seconds(40))
        #expect(pair.ends(.alice) == [.rejected(status: 486)] && pair.ends(.bob) == [.declined(status: 486)])
        #expect(pair.agents.allSatisfy { $0.deadline == nil })
    }

    @Test("A call cancelled while ringing ends on both sides")
    func cancelled() {
        var pair = Pair.calling { pair, side, id in pair.command(side) { $0.ring(id, at: $1) } }
        pair.run(for: .seconds(2))
        pair.command(.alice) { $0.hangUp(Pair.call, at: $1) }
        pair.run(for: .seconds(40))
        #expect(pair.ends(.alice) == [.cancelled] && pair.ends(.bob) == [.remoteCancelled])
        #expect(pair.startLines(.bob).contains("SIP/2.0 487 Request Terminated"))
        #expect(pair.agents.allSatisfy { $0.deadline == nil })
    }

    @Test("A cancellation waits for a first sign of the peer")
    func earlyCancel() {
        var pair = Pair.calling()
        pair.command(.alice) { $0.hangUp(Pair.call, at: $1) }
        #expect(pair.startLines(.alice).count == 1)
        pair.run(for: .seconds(40))
        #expect(pair.startLines(.alice).contains { $0.hasPrefix("CANCEL ") })
        #expect(pair.ends(.alice) == [.cancelled] && pair.ends(.bob) == [.remoteCancelled])
    }

    @Test("An answer that crosses a cancellation is acknowledged and then ended")
    func race() throws {
        var pair = Pair.calling { pair, side, id in pair.command(side) { $0.ring(id, at: $1) } }
        pair.run(for: .seconds(2))
        let id = try #require(pair.incoming(.bob))
        pair.command(.bob) { $0.answer(id, with: Pair.reply, at: $1) }
        pair.command(.alice) { $0.hangUp(Pair.call, at: $1) }
        pair.run(for: .seconds(100))
        let lines = pair.startLines(.alice).map { $0.prefix { $0 != " " } }
        #expect(lines == ["INVITE", "CANCEL", "ACK", "BYE"])
        #expect(pair.ends(.alice) == [.cancelled] && pair.ends(.bob) == [.remoteHungUp])
        #expect(!pair.wasAnswered(.alice))
        #expect(pair.agents.allSatisfy { $0.deadline == nil })
    }

    @Test("An unanswered call is given up by the called side after 30 seconds")
    func unanswered() {
        var pair = Pair.calling { pair, side, id in pair.command(side) { $0.ring(id, at: $1) } }
        pair.run(for: .seconds(29))
        #expect(pair.ends(.bob).isEmpty)
        pair.run(for: .seconds(2))
        #expect(pair.ends(.bob) == [.noAnswer] && pair.ends(.alice) == [.rejected(status: 486)])
    }

    @Test("The caller gives up by itself too")
    func callerGivesUp() {
        var configuration = UserAgent.Configuration()
        configuration.noAnswerTimeout = .seconds(10)
        var pair = Pair.calling(configuration: configuration) { pair, side, id in
            pair.command(side) { $0.ring(id, at: $1) }
        }
        pair.run(for: .seconds(11))
        #expect(pair.ends(.alice) == [.noAnswer] && pair.ends(.bob) == [.remoteCancelled])
    }

    @Test("A call nobody responds to ends after 32 seconds")
    func unresponsive() {
        var pair = Pair.calling(link: .init(isReliable: false, loss: 1))
        pair.run(for: .seconds(33))
        #expect(pair.ends(.alice) == [.unresponsive])
        #expect(pair.startLines(.alice).count == 7)
    }

    @Test("An answer nobody acknowledges is repeated, and given up with BYE")
    func unacknowledged() throws {
        var pair = Pair.calling { pair, side, id in pair.command(side) { $0.ring(id, at: $1) } }
        pair.run(for: .seconds(1))
        let id = try #require(pair.incoming(.bob))
        pair.command(.alice) { $0.close(Pair.flow, at: $1) }
        pair.command(.bob) { $0.answer(id, with: Pair.reply, at: $1) }
        pair.run(for: .seconds(33))
        #expect(pair.ends(.bob) == [.unresponsive] && pair.ends(.alice) == [.flowLost])
        #expect(pair.startLines(.bob).filter { $0.contains("200") }.count == 11)
        #expect(pair.startLines(.bob).last?.hasPrefix("BYE ") == true)
    }

    @Test("Messages and information go both ways, and their outcome is told")
    func messages() throws {
        var pair = Pair.talking()
        let id = try #require(pair.incoming(.bob))
        pair.command(.alice) { $0.sendMessage(Body(text: "hi"), in: Pair.call, as: .init(rawValue: 1), at: $1) }
        pair.command(.bob) { $0.sendMessage(Body(text: "ho"), in: id, as: .init(rawValue: 2), at: $1) }
        let control = Body(contentType: "application/media_control+xml", bytes: Array("x".utf8))
        pair.command(.bob) { $0.sendInformation(control, in: id, at: $1) }
        pair.command(.alice) {
            $0.sendMessage(
                Body(text: "out"), on: Pair.flow, to: Pair.accounts[1], as: .init(rawValue: 3), at: $1)
        }
        pair.run(for: .seconds(1))
        #expect(pair.has(.bob) { $0 == .message(Body(text: "hi"), in: id, on: Pair.flow) })
        #expect(pair.has(.alice) { $0 == .message(Body(text: "ho"), in: Pair.call, on: Pair.flow) })
        #expect(pair.has(.alice) { $0 == .information(control, in: Pair.call) })
        #expect(pair.has(.bob) { $0 == .message(Body(text: "out"), in: nil, on: Pair.flow) })
        #expect(pair.has(.alice) { $0 == .messageOutcome(.init(rawValue: 1), status: 200) })
        #expect(pair.has(.bob) { $0 == .messageOutcome(.init(rawValue: 2), status: 200) })
        #expect(pair.has(.alice) { $0 == .messageOutcome(.init(rawValue: 3), status: 200) })
    }

    @Test("A lost flow ends its calls and leaves messages without outcome")
    func flowLost() {
        var pair = Pair.talking()
        pair.command(.alice) { $0.sendMessage(Body(text: "hi"), in: Pair.call, as: .init(rawValue: 1), at: $1) }
        pair.command(.alice) { $0.close(Pair.flow, at: $1) }
        #expect(pair.ends(.alice) == [.flowLost])
        #expect(pair.has(.alice) { $0 == .messageOutcome(.init(rawValue: 1), status: nil) })
        #expect(pair.agents[0].deadline == nil)
    }

    @Test("A call goes on over another flow", arguments: [Pair.Side.alice, .bob])
    func moved(leaver: Pair.Side) throws {
        var pair = Pair.talking()
        let id = try #require(pair.incoming(.bob))
        let other = FlowID(rawValue: 8)
        pair.open(other)
        #expect(pair.agents[0].flow(of: Pair.call) == Pair.flow)
        pair.command(.alice) { agent, _ in agent.move(Pair.call, to: other) }
        pair.command(.alice) { $0.sendInformation(Body(contentType: "text/plain", bytes: [65]), in: Pair.call, at: $1) }
        pair.run(for: .seconds(1))
        #expect(pair.has(.bob) { $0 == .moved(id, to: other) })
        #expect(pair.agents[0].flow(of: Pair.call) == other && pair.agents[1].flow(of: id) == other)
        for side in Pair.Side.allCases { pair.command(side) { $0.close(Pair.flow, at: $1) } }
        #expect(pair.ends(.alice).isEmpty && pair.ends(.bob).isEmpty)
        pair.command(leaver) { $0.hangUp(leaver == .alice ? Pair.call : id, at: $1) }
        pair.run(for: .seconds(1))
        #expect(pair.ends(leaver) == [.hungUp] && pair.ends(leaver.other) == [.remoteHungUp])
    }

    @Test("A call does not go on over the flow of another account")
    func strangersFlow() throws {
        var pair = Pair.talking()
        let id = try #require(pair.incoming(.bob))
        let other = FlowID(rawValue: 8)
        pair.open(other, takenFor: [Pair.accounts[1], String(repeating: "e5", count: 20)])
        pair.command(.alice) { agent, _ in agent.move(Pair.call, to: other) }
        pair.command(.alice) { $0.sendInformation(Body(contentType: "text/plain", bytes: [65]), in: Pair.call, at: $1) }
        pair.run(for: .seconds(1))
        #expect(pair.agents[1].flow(of: id) == Pair.flow)
        #expect(!pair.has(.bob) { if case .information = $0 { true } else { false } })
    }

    @Test("A call over a flow that is gone by then ends as well")
    func flowLostBefore() {
        var pair = Pair()
        pair.command(.alice) { $0.close(Pair.flow, at: $1) }
        pair.command(.alice) { $0.invite(Pair.call, on: Pair.flow, to: Pair.accounts[1], offer: [], at: $1) }
        #expect(pair.ends(.alice) == [.flowLost])
    }

    @Test("A new offer is answered within the call, from each side", arguments: [Pair.Side.alice, .bob])
    func reinvite(offerer: Pair.Side) throws {
        var pair = Pair.talking()
        let id = try #require(pair.incoming(.bob))
        pair.onReoffer = { pair, side, id in pair.command(side) { $0.answer(id, with: Pair.reply, at: $1) } }
        let own = offerer == .alice ? Pair.call : id
        pair.command(offerer) { $0.reinvite(own, with: Pair.offer, at: $1) }
        pair.run(for: .seconds(1))
        #expect(pair.has(offerer) { $0 == .reanswered(own, description: Pair.reply) })
        pair.command(offerer) { $0.hangUp(own, at: $1) }
        pair.run(for: .seconds(100))
        #expect(pair.ends(offerer) == [.hungUp] && pair.ends(offerer.other) == [.remoteHungUp])
        #expect(pair.agents.allSatisfy { $0.deadline == nil })
    }

    @Test("A refused offer leaves the call as it was")
    func refusedOffer() {
        var pair = Pair.talking()
        pair.onReoffer = { pair, side, id in pair.command(side) { $0.decline(id, status: 488, at: $1) } }
        pair.command(.alice) { $0.reinvite(Pair.call, with: Pair.offer, at: $1) }
        pair.run(for: .seconds(40))
        #expect(pair.has(.alice) { $0 == .reofferFailed(Pair.call, status: 488) })
        #expect(pair.ends(.alice).isEmpty && pair.ends(.bob).isEmpty)
    }

    @Test("Offers that collide are both made in the end")
    func glare() throws {
        var pair = Pair.talking()
        let id = try #require(pair.incoming(.bob))
        pair.onReoffer = { pair, side, id in pair.command(side) { $0.answer(id, with: Pair.reply, at: $1) } }
        pair.command(.alice) { $0.reinvite(Pair.call, with: Pair.offer, at: $1) }
        pair.command(.bob) { $0.reinvite(id, with: Pair.offer, at: $1) }
        pair.run(for: .seconds(20))
        #expect(pair.has(.alice) { $0 == .reanswered(Pair.call, description: Pair.reply) })
        #expect(pair.has(.bob) { $0 == .reanswered(id, description: Pair.reply) })
    }

    @Test("A new offer waits until our answer is acknowledged")
    func offerAfterAnswer() throws {
        var pair = Pair.talking()
        let id = try #require(pair.incoming(.bob))
        pair.onReoffer = { pair, side, id in
            pair.command(side) { $0.answer(id, with: Pair.reply, at: $1) }
            guard side == .bob else { return }
            let before = pair.sent[side.rawValue].count
            pair.command(side) { $0.reinvite(id, with: Pair.offer, at: $1) }
            #expect(pair.sent[side.rawValue].count == before, "nothing is sent before the acknowledgement")
        }
        pair.command(.alice) { $0.reinvite(Pair.call, with: Pair.offer, at: $1) }
        pair.run(for: .seconds(1))
        #expect(pair.has(.bob) { $0 == .reanswered(id, description: Pair.reply) })
    }

    @Test("An offer that waits after a collision can be withdrawn, so that the peer's goes first")
    func withdrawnOffer() throws {
        var pair = Pair.talking()
        let id = try #require(pair.incoming(.bob))
        pair.onReoffer = { pair, side, id in
            pair.command(side) { agent, _ in agent.withdrawOffer(id) }
            pair.command(side) { $0.answer(id, with: Pair.reply, at: $1) }
        }
        pair.command(.alice) { $0.reinvite(Pair.call, with: Pair.offer, at: $1) }
        pair.command(.bob) { $0.reinvite(id, with: Pair.offer, at: $1) }
        pair.run(for: .seconds(20))
        let answers =
            [pair.has(.alice) { $0 == .reanswered(Pair.call, description: Pair.reply) }]
            + [pair.has(.bob) { $0 == .reanswered(id, description: Pair.reply) }]
        #expect(answers.count { $0 } == 1, "the other offer was withdrawn")
        #expect(pair.ends(.alice).isEmpty && pair.ends(.bob).isEmpty)
    }

    @Test("An offer nobody answers in time is refused, and both sides are told")
    func forgottenOffer() throws {
        var pair = Pair.talking()
        let id = try #require(pair.incoming(.bob))
        pair.command(.alice) { $0.reinvite(Pair.call, with: Pair.offer, at: $1) }
        pair.run(for: .seconds(40))
        #expect(pair.has(.bob) { $0 == .reofferWithdrawn(id) })
        #expect(pair.has(.alice) { $0 == .reofferFailed(Pair.call, status: 488) })
    }

    @Test("Ringing may tell the answer to come")
    func earlyAnswer() throws {
        var pair = Pair()
        pair.onIncoming = { pair, side, id in
            pair.command(side) { $0.ring(id, at: $1) }
            pair.command(side) { $0.ring(id, describing: Pair.reply, at: $1) }
        }
        pair.command(.alice) { $0.invite(Pair.call, on: Pair.flow, to: Pair.accounts[1], offer: Pair.offer, at: $1) }
        pair.run(for: .seconds(1))
        #expect(pair.has(.alice) { $0 == .earlyAnswer(Pair.call, description: Pair.reply) })
        #expect(!pair.has(.alice) { if case .answered = $0 { true } else { false } })
        let id = try #require(pair.incoming(.bob))
        pair.command(.bob) { $0.answer(id, with: Pair.reply, at: $1) }
        pair.run(for: .seconds(1))
        #expect(pair.has(.alice) { if case .answered = $0 { true } else { false } })
    }

    @Test("An early answer too large for the peer is left out of the ringing")
    func largeEarlyAnswer() {
        var pair = Pair()
        pair.onIncoming = { pair, side, id in
            pair.command(side) { $0.ring(id, describing: [UInt8](repeating: 65, count: 9_000), at: $1) }
        }
        pair.command(.alice) { $0.invite(Pair.call, on: Pair.flow, to: Pair.accounts[1], offer: Pair.offer, at: $1) }
        pair.run(for: .seconds(1))
        #expect(pair.has(.alice) { $0 == .ringing(Pair.call) })
        #expect(!pair.has(.alice) { if case .earlyAnswer = $0 { true } else { false } })
    }

    @Test("Who declines may say why")
    func reason() throws {
        var pair = Pair()
        pair.command(.alice) { $0.invite(Pair.call, on: Pair.flow, to: Pair.accounts[1], offer: Pair.offer, at: $1) }
        pair.run(for: .seconds(1))
        let id = try #require(pair.incoming(.bob))
        pair.command(.bob) { $0.decline(id, status: 603, because: "at \"lunch\"", at: $1) }
        pair.run(for: .seconds(1))
        #expect(pair.has(.alice) { $0 == .explained(Pair.call, Reason(cause: 603, text: "at \"lunch\"")) })
        #expect(pair.ends(.alice) == [.rejected(status: 603)])
        let refusal = try #require(pair.sent[1].compactMap { try? Message(decoding: $0) }.first { $0.status == 603 })
        #expect(refusal.fields.text(.reason) == #"SIP;cause=603;text="at \"lunch\"""#)
    }

    @Test("A message refused with 500, and information nobody answers, do not harm the call")
    func indifferentOutcomes() throws {
        var pair = Pair.talking()
        let id = try #require(pair.incoming(.bob))
        pair.command(.alice) { $0.sendMessage(Body(text: "hi"), in: Pair.call, as: .init(rawValue: 1), at: $1) }
        let request = try Message(decoding: try #require(pair.sent[0].last))
        var refusal = Message(status: 500)
        for name in [HeaderName.via, .from, .to, .callID, .cSeq] { refusal.fields.append(name, from: request.fields) }
        pair.deliver(refusal.encoded(), to: .alice)
        #expect(pair.has(.alice) { $0 == .messageOutcome(.init(rawValue: 1), status: 500) })
        pair.dropsAll = true
        pair.command(.alice) { $0.sendInformation(MediaControl(.fastUpdate).body, in: Pair.call, at: $1) }
        pair.run(for: .seconds(40))
        #expect(pair.has(.alice) { $0 == .ignored(.failedRequest(.info, status: nil)) })
        pair.dropsAll = false
        #expect(pair.ends(.alice).isEmpty && pair.ends(.bob).isEmpty)
        pair.command(.bob) { $0.hangUp(id, at: $1) }
        pair.run(for: .seconds(1))
        #expect(pair.ends(.alice) == [.remoteHungUp])
    }

    @Test("An invitation that claims another account is ignored in silence")
    func impostor() throws {
        var pair = Pair.calling()
        pair.run(for: .zero)
        let invite = String(decoding: try #require(pair.sent[0].first), as: UTF8.self)
        let forged = invite.replacing("sip:\(Pair.accounts[0])@", with: "sip:\(Pair.devices[0])@")
        pair.deliver(Array(forged.utf8), to: .bob)
        #expect(pair.has(.bob) { $0 == .ignored(.impostor(claimed: Pair.devices[0])) })
        #expect(pair.sent[1].isEmpty)
    }

    @Test("What is too large for the peer is not sent")
    func oversized() {
        var pair = Pair()
        pair.command(.alice) {
            $0.invite(Pair.call, on: Pair.flow, to: "x", offer: Array(repeating: 97, count: 8_000), at: $1)
        }
        #expect(pair.sent[0].isEmpty)
        #expect(pair.ends(.alice).count == 1)
        let largest = Array(repeating: UInt8(97), count: UserAgent.Configuration().roomForDescription)
        pair.command(.alice) { $0.invite(Pair.call, on: Pair.flow, to: Pair.accounts[1], offer: largest, at: $1) }
        pair.run(for: .seconds(1))
        if let id = pair.incoming(.bob) {
            pair.command(.bob) { $0.answer(id, with: Array(repeating: 97, count: 8_000), at: $1) }
            #expect(pair.has(.bob) { if case .oversized(id, _) = $0 { true } else { false } })
            pair.command(.bob) { $0.answer(id, with: largest, at: $1) }
        }
        pair.run(for: .seconds(1))
        #expect(pair.has(.alice) { $0 == .answered(Pair.call, description: largest, peer: Pair.peer) })
    }

    @Test("A lossy flow changes nothing about how calls end", arguments: 1...60)
    func lossy(seed: UInt64) throws {
        var pair = Pair.calling(seed: seed, link: .init(isReliable: false, loss: 0.3)) { pair, side, id in
            pair.command(side) { $0.ring(id, at: $1) }
        }
        pair.run(for: .seconds(12))
        guard let id = pair.incoming(.bob) else { return }
        if seed.isMultiple(of: 3) {
            pair.command(.bob) { $0.decline(id, at: $1) }
        } else {
            pair.command(.bob) { $0.answer(id, with: Pair.reply, at: $1) }
            pair.run(for: .seconds(25))
            pair.command(.bob) { $0.sendMessage(Body(text: "hi"), in: id, as: .init(rawValue: 5), at: $1) }
            pair.command(.alice) { $0.hangUp(Pair.call, at: $1) }
        }
        pair.run(for: .seconds(200))
        #expect(pair.ends(.alice).count == 1 && pair.ends(.bob).count == 1)
        #expect(pair.agents.allSatisfy { $0.deadline == nil })
    }

    @Test("Messages keep their order on a lossy flow, and none is lost", arguments: 1...20)
    func orderedMessages(seed: UInt64) {
        var pair = Pair.talking(seed: seed, link: .init(isReliable: false, loss: 0.2))
        guard pair.wasAnswered(.alice), pair.ends(.bob).isEmpty else { return }
        for number in 1...10 {
            pair.command(.alice) {
                $0.sendMessage(
                    Body(text: "\(number)"), in: Pair.call, as: .init(rawValue: UInt64(number)), at: $1)
            }
        }
        pair.run(for: .seconds(300))
        let texts = pair.events[1].compactMap {
            if case .message(let body, _, _) = $0 { String(decoding: body.bytes, as: UTF8.self) } else { nil }
        }
        #expect(texts == (1...10).map(String.init))
    }

    @Test("Messages that wait their turn when a call ends have no outcome")
    func unsentMessages() {
        var pair = Pair.talking(link: .init(isReliable: false))
        for number in 1...3 as ClosedRange<UInt64> {
            pair.command(.alice) { $0.sendMessage(Body(text: "x"), in: Pair.call, as: .init(rawValue: number), at: $1) }
        }
        pair.command(.alice) { $0.hangUp(Pair.call, at: $1) }
        pair.run(for: .seconds(100))
        let outcomes = pair.events[0].compactMap { effect -> Int?? in
            if case .messageOutcome(_, let status) = effect { .some(status) } else { nil }
        }
        #expect(outcomes.count == 3 && outcomes.filter { $0 == nil }.count == 2)
        #expect(pair.agents.allSatisfy { $0.deadline == nil })
    }

    @Test("An invitation without an offer is answered with one, and the acknowledgement brings the answer")
    func lateOffer() throws {
        var pair = Pair.calling()
        let invite = String(decoding: pair.sent[0][0], as: UTF8.self)
        let head = invite.prefix(upTo: try #require(invite.range(of: "Content-Type")).lowerBound)
        pair.deliver(Array((head + "Content-Length: 0\r\n\r\n").utf8), to: .bob)
        guard case .incoming(let id, let call)? = pair.events[1].last else {
            Issue.record("no call")
            return
        }
        #expect(call.offer == nil)
        pair.command(.bob) { $0.answer(id, with: Pair.offer, at: $1) }
        let ok = try Message(decoding: pair.sent[1][1])
        var ack = Message(.ack, to: "sips:10.0.0.2:4002")
        ack.fields.append(.via, "SIP/2.0/TLS 10.0.0.1:4001;branch=z9hG4bKack")
        for name in [HeaderName.from, .to, .callID] { ack.fields.append(name, from: ok.fields) }
        ack.fields.append(.cSeq, "\(try ok.essentials().cSeq.number) ACK")
        ack.fields.append(.contentType, "application/sdp")
        ack.body = Pair.reply
        pair.deliver(ack.encoded(), to: .bob)
        #expect(pair.events[1].last == .confirmed(id, description: Pair.reply))
    }
}
