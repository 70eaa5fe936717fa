import MediaRTP
import SIPLite
import SansIO
import Testing

@testable import Swiftlet

/// What happens inside a call: hold, resume, and media that move, command by command.
@Suite struct CallChangesTests {
    @Test(arguments: CallPair.Side.allCases) func aHoldKeepsPathAndKeys(holder: CallPair.Side) throws {
        var pair = CallPair.talking()
        let keys = pair.descriptions.map { Self.value("a=crypto", in: $0.text) }
        pair.forget()
        pair.input(holder) { $0.hold(at: $1) }
        let (offer, answer) = (try #require(pair.descriptions.first), try #require(pair.descriptions.last))
        #expect(pair.descriptions.count == 2 && offer.from == holder)
        #expect(offer.text.contains("a=sendonly\r\n") && answer.text.contains("a=recvonly\r\n"))
        for description in pair.descriptions {
            #expect(!description.text.contains("a=ice-") && !description.text.contains("a=candidate"))
        }
        #expect(keys.allSatisfy { key in pair.descriptions.contains { Self.value("a=crypto", in: $0.text) == key } })
        #expect(pair[holder].events == [.held(true)])
        #expect(pair[holder.other].events == [.peerHeld(true)])
        let nothing = pair[holder].flows.last
        #expect(nothing?.sends == false && nothing?.plays == false)
        #expect(pair[holder.other].flows.last?.sends == false && pair[holder.other].flows.last?.plays == true)
        for side in CallPair.Side.allCases {
            #expect(pair[side].gathers.isEmpty && pair[side].plans.isEmpty && pair[side].expected.isEmpty)
        }
    }

    @Test(arguments: CallPair.Side.allCases) func aResumedCallHasANewSession(holder: CallPair.Side) throws {
        var pair = CallPair.talking()
        pair.input(holder) { $0.hold(at: $1) }
        let old = pair.descriptions.map(\.text)
        pair.forget()
        pair.input(holder) { $0.resume(at: $1) }
        pair.run(for: .seconds(1))
        let (offer, answer) = (try #require(pair.descriptions.first), try #require(pair.descriptions.last))
        #expect(pair.descriptions.count == 2 && offer.from == holder)
        for name in ["a=ice-ufrag", "a=ice-pwd", "a=crypto"] {
            let values = [Self.value(name, in: offer.text), Self.value(name, in: answer.text)]
            #expect(values.allSatisfy { $0 != nil } && values[0] != values[1], "\(name)")
            #expect(values.allSatisfy { value in !old.contains { Self.value(name, in: $0) == value } }, "\(name)")
        }
        #expect(offer.text.contains("a=sendrecv\r\n") && answer.text.contains("a=sendrecv\r\n"))
        #expect(pair[holder].events.first == .held(false))
        #expect(pair[holder.other].events.first == .peerHeld(false))
        for side in CallPair.Side.allCases {
            #expect(pair[side].gathers == [1] && pair[side].releases.isEmpty)
            let plan = try #require(pair[side].plans.first)
            #expect(plan.session == 1 && pair[side].plans.count == 1)
            #expect(pair[side].expected == [plan.remoteKey], "packets may come before we move")
            #expect(pair[side].flows.last == MediaFlow())
        }
        pair.run(for: .seconds(2))
        #expect(CallPair.Side.allCases.allSatisfy { pair[$0].releases == [0] }, "then the old sockets are closed")
    }

    @Test func eachDescriptionThatChangesSomethingHasTheNextVersion() throws {
        var pair = CallPair.talking()
        pair.input(.alice) { $0.hold(at: $1) }
        pair.input(.alice) { $0.resume(at: $1) }
        pair.run(for: .seconds(4))
        pair.input(.bob) { $0.restartMedia(at: $1) }
        pair.run(for: .seconds(4))
        for side in CallPair.Side.allCases {
            let origins = pair.descriptions.filter { $0.from == side }.compactMap { Self.origin(in: $0.text) }
            #expect(Set(origins.map(\.sessionID)).count == 1)
            #expect(origins.map(\.version) == (side == .alice ? [1, 2, 3] : [0, 1, 2, 3]))
        }
    }

    @Test func aSessionThatFindsNoPathLeavesTheCallAsItWas() {
        var pair = CallPair.talking()
        pair.cutSessions = [1]
        pair.forget()
        pair.input(.alice) { $0.restartMedia(at: $1) }
        pair.run(for: .seconds(60))
        for side in CallPair.Side.allCases {
            #expect(pair[side].events == [.changeFailed(.restart, status: nil)])
            #expect(pair[side].releases == [1] && pair[side].plans.isEmpty && !pair[side].isFinished)
        }
        pair.cutSessions = []
        pair.input(.bob) { $0.restartMedia(at: $1) }
        pair.run(for: .seconds(4))
        #expect(CallPair.Side.allCases.allSatisfy { pair[$0].plans.map(\.session) == [2] })
    }

    @Test func aLostPathIsReplacedByTheNext() {
        var pair = CallPair.talking()
        pair.cutSessions = [0, 1]
        pair.forget()
        pair.run(for: .seconds(25))
        pair.input(.alice) { $0.restartMedia(at: $1) }
        pair.run(for: .seconds(15))
        #expect(CallPair.Side.allCases.allSatisfy { pair[$0].events.isEmpty }, "the old path is lost by now")
        pair.cutSessions = [0]
        pair.run(for: .seconds(5))
        #expect(CallPair.Side.allCases.allSatisfy { pair[$0].plans.map(\.session) == [1] && !pair[$0].isFinished })
    }

    @Test func whenBothPathsAreLostTheCallIs() {
        var pair = CallPair.talking()
        pair.cutSessions = [0, 1]
        pair.forget()
        pair.input(.alice) { $0.restartMedia(at: $1) }
        pair.run(for: .seconds(90))
        for side in CallPair.Side.allCases {
            #expect(pair[side].isFinished && pair[side].releases.sorted() == [0, 1] && pair[side].stops == 1)
        }
        #expect(pair[.alice].events.last == .ended(.connectionLost))
    }

    @Test(arguments: [488, 481]) func aRefusedHoldLeavesTheCallAsItWas(status: Int) {
        var pair = CallPair.talking()
        pair.refusal = status
        pair.forget()
        pair.input(.alice) { $0.hold(at: $1) }
        #expect(pair[.alice].events == [.changeFailed(.hold, status: status)])
        #expect(pair[.alice].flows.count == 2 && pair[.alice].flows.last == MediaFlow(), "sound goes on")
        pair.refusal = nil
        pair.input(.alice) { $0.hold(at: $1) }
        #expect(pair[.alice].events.last == .held(true))
    }

    @Test func aRefusedResumeLeavesTheCallHeld() {
        var pair = CallPair.talking()
        pair.input(.alice) { $0.hold(at: $1) }
        pair.refusal = 500
        pair.forget()
        pair.input(.alice) { $0.resume(at: $1) }
        #expect(pair[.alice].events == [.changeFailed(.resume, status: 500)])
        #expect(pair[.alice].gathers == [1] && pair[.alice].releases == [1])
        #expect(pair[.alice].flows.isEmpty, "it was silent and stays so")
        pair.refusal = nil
        pair.input(.alice) { $0.resume(at: $1) }
        pair.run(for: .seconds(1))
        #expect(pair[.alice].events.contains(.held(false)))
    }

    @Test func withoutSocketsNothingChanges() {
        var pair = CallPair.talking()
        pair.socketless = [.alice]
        pair.forget()
        pair.input(.alice) { $0.restartMedia(at: $1) }
        #expect(pair[.alice].events == [.changeFailed(.restart, status: nil)] && pair[.alice].releases == [1])
        pair.socketless = [.bob]
        pair.input(.alice) { $0.restartMedia(at: $1) }
        #expect(pair[.alice].events.last == .changeFailed(.restart, status: 488))
        #expect(CallPair.Side.allCases.allSatisfy { !pair[$0].isFinished && pair[$0].plans.isEmpty })
    }

    @Test func wishesThatComeDuringAnExchangeWaitForIt() {
        var pair = CallPair.talking()
        pair.forget()
        pair.input(.alice) { $0.hold(at: $1) + $0.resume(at: $1) + $0.hold(at: $1) }
        pair.run(for: .seconds(5))
        #expect(pair[.alice].events.filter { $0 == .held(true) || $0 == .held(false) } == [.held(true)])
        #expect(pair[.bob].events.filter { $0 == .peerHeld(true) || $0 == .peerHeld(false) } == [.peerHeld(true)])
        #expect(pair[.alice].flows.last?.sends == false)
    }

    @Test func whoHoldsAndIsHeldHearsNothing() {
        var pair = CallPair.talking()
        for side in CallPair.Side.allCases { pair.input(side) { $0.hold(at: $1) } }
        #expect(pair.descriptions.last?.text.contains("a=inactive\r\n") == true)
        for side in CallPair.Side.allCases {
            #expect(pair[side].events.contains(.held(true)) && pair[side].events.contains(.peerHeld(true)))
            #expect(pair[side].flows.last?.sends == false && pair[side].flows.last?.plays == false)
        }
        pair.input(.alice) { $0.resume(at: $1) }
        pair.run(for: .seconds(4))
        #expect(pair[.bob].events.contains(.peerHeld(false)) && !pair[.alice].events.contains(.peerHeld(false)))
        #expect(pair[.alice].flows.last?.sends == false && pair[.bob].flows.last?.sends == false)
        pair.input(.bob) { $0.resume(at: $1) }
        pair.run(for: .seconds(4))
        #expect(CallPair.Side.allCases.allSatisfy { pair[$0].flows.last == MediaFlow() })
    }

    @Test func mutingTellsThePeerOnceAndSendsSilence() {
        var pair = CallPair.talking()
        pair.forget()
        pair.input(.alice) { call, _ in call.mute(true) + call.mute(true) }
        #expect(pair[.alice].sip == [.information(MediaControl(.muted(true)).body, in: CallPair.sip)])
        #expect(pair[.alice].flows.map(\.isMuted) == [true] && pair[.alice].flows.last?.sends == true)
    }

    @Test func anOfferIsMadeWhereThePeerAsksForOne() throws {
        var pair = CallPair.talking()
        pair.forget()
        pair.input(.bob) { $0.reoffered(CallPair.sip, description: nil, at: $1) }
        let offer = try #require(pair.descriptions.first)
        #expect(offer.from == .bob && offer.text.contains("a=sendrecv\r\n") && !offer.text.contains("a=ice-"))
        #expect(pair[.bob].gathers.isEmpty)
    }

    @Test func anOfferThatRepeatsTheCredentialsInUseChangesNoPath() throws {
        var pair = CallPair.talking()
        let offer = try #require(Self.invitation(pair))
        let first = try #require(pair.descriptions.first)
        pair.forget()
        pair.input(.bob) { $0.reoffered(CallPair.sip, description: offer, at: $1) }
        let answer = try #require(pair.descriptions.first)
        #expect(Self.value("a=ice-ufrag", in: answer.text) == Self.value("a=ice-ufrag", in: first.text))
        #expect(pair[.bob].gathers.isEmpty)
    }

    @Test func anOfferWithoutSenseIsRefused() {
        var pair = CallPair.talking()
        pair.forget()
        pair.input(.bob) { $0.reoffered(CallPair.sip, description: [1, 2, 3], at: $1) }
        #expect(pair[.bob].sip == [.decline(CallPair.sip, status: 488)])
        #expect(!pair[.bob].isFinished)
    }

    @Test func thePeersOfferGoesFirst() throws {
        var pair = CallPair.talking()
        let offer = try #require(Self.invitation(pair))
        let text = String(decoding: offer, as: UTF8.self)
        let fragment = try #require(Self.value("a=ice-ufrag", in: text))
        let renewed = Array(text.replacing(fragment, with: "deadbeef").utf8)
        pair.forget()
        // Our own offer waits to be made again after a collision when the peer's arrives.
        pair.refusal = nil
        pair.input(.bob) { call, now in
            _ = call.restartMedia(at: now)
            return call.reoffered(CallPair.sip, description: renewed, at: now)
        }
        let answer = try #require(pair.descriptions.first)
        #expect(answer.from == .bob && Self.value("a=ice-ufrag", in: answer.text) != nil)
        #expect(pair[.bob].gathers.first == 2, "the session that was to be offered is not the one that answers")
    }

    @Test func everySocketIsGivenBackWhereverACallEnds() {
        for step in 0..<12 {
            var pair = CallPair.talking()
            pair.input(.alice) { $0.restartMedia(at: $1) }
            pair.run(for: .milliseconds(Int64(step) * 200))
            pair.input(.bob) { $0.hangUp(at: $1) }
            for side in CallPair.Side.allCases {
                #expect(pair[side].isFinished && pair[side].stops == 1)
                #expect(pair[side].gathers.sorted() == pair[side].releases.sorted(), "after \(step * 200) ms")
                #expect(pair.call(side)?.deadline == nil)
            }
        }
    }

    // MARK: - Two Swiftlets

    @Test func thePathIsFoundWhileItRings() throws {
        var pair = CallPair(isSwiftlet: true)
        pair.run(for: .seconds(3))
        let told = pair[.bob].sip.compactMap { command in
            if case .ring(_, let description) = command, !description.isEmpty { description } else { nil }
        }
        #expect(told.count == 1)
        #expect(CallPair.Side.allCases.allSatisfy { pair[$0].plans.isEmpty && pair[$0].stops == 0 }, "nothing is heard")
        pair.input(.bob) { $0.answer(at: $1) }
        #expect(CallPair.Side.allCases.allSatisfy { pair[$0].plans.count == 1 }, "no time passes after the answer")
        #expect(pair.descriptions.map { Array($0.text.utf8) } == told, "the answer is what was told")
        #expect(pair[.alice].plans.first?.protectsControl == true)
        #expect(pair[.alice].plans.first?.localKey == pair[.bob].plans.first?.remoteKey)
    }

    @Test func towardStockNothingIsToldEarly() {
        var pair = CallPair()
        pair.run(for: .seconds(3))
        #expect(pair[.bob].sip == [.ring(CallPair.sip)])
        #expect(CallPair.Side.allCases.allSatisfy { pair[$0].network.isEmpty })
        pair.input(.bob) { $0.answer(at: $1) }
        pair.run(for: .seconds(3))
        #expect(pair[.alice].plans.first?.protectsControl == false)
    }

    @Test func aPathLostWhileItRingsIsFoundAgainAfterTheAnswer() {
        var pair = CallPair(isSwiftlet: true)
        pair.run(for: .seconds(3))
        pair.cutSessions = [0]
        pair.run(for: .seconds(60))
        #expect(CallPair.Side.allCases.allSatisfy { !pair[$0].isFinished })
        pair.cutSessions = []
        pair.input(.bob) { $0.answer(at: $1) }
        pair.run(for: .seconds(3))
        #expect(CallPair.Side.allCases.allSatisfy { pair[$0].plans.count == 1 })
    }

    @Test func whoDeclinesMaySayWhy() {
        var pair = CallPair(isSwiftlet: true)
        pair.input(.bob) { $0.decline(because: "at lunch", at: $1) }
        #expect(pair[.bob].sip.last == .decline(CallPair.sip, status: 603, because: "at lunch"))
        #expect(pair[.alice].events.suffix(2) == [.declineReason("at lunch"), .ended(.remoteDeclined)])
        #expect(pair[.bob].events.last == .ended(.declined))
        var stock = CallPair()
        stock.input(.bob) { $0.decline(because: "at lunch", at: $1) }
        #expect(stock[.bob].sip.last == .decline(CallPair.sip, status: 486))
        #expect(stock[.alice].events.last == .ended(.remoteDeclined))
    }

    /// What alice offered first.
    static func invitation(_ pair: CallPair) -> [UInt8]? {
        guard case .invite(_, _, _, let offer)? = pair[.alice].sip.first else { return nil }
        return offer
    }

    // MARK: - Text

    /// What stands after the name of the first such line.
    static func value(_ name: String, in text: String) -> String? {
        text.split(separator: "\r\n").first { $0.hasPrefix(name) }.map { String($0.drop { $0 != ":" }.dropFirst()) }
    }

    static func origin(in text: String) -> SIPLite.SessionDescription.Origin? {
        try? SIPLite.SessionDescription(decoding: Array(text.utf8)).origin
    }
}
