import SansIO
import Testing

@testable import SecureChannel

private typealias ChannelID = Multiplexer.ChannelID

private func channel(_ number: UInt16) -> ChannelID { ChannelID(rawValue: number) }

private func frame(_ id: ChannelID, _ payload: [UInt8]) -> [UInt8] { ChannelFrame(channel: id, payload: payload).bytes }

private func request(_ name: String, _ id: ChannelID, _ state: ChannelRequest.State = .request) -> [UInt8] {
    ChannelRequest(name: name, channel: id, state: state).frame.bytes
}

/// The effects of an order to open that gave no channel.
private func refused(_ result: (ChannelID?, [Multiplexer.Effect])) -> [Multiplexer.Effect]? {
    result.0 == nil ? result.1 : nil
}

private let version = ProtocolMessage.version(1).frame.bytes
private let ping = ProtocolMessage.ping.frame.bytes
private let pong = ProtocolMessage.pong.frame.bytes

/// What one multiplexer answers to commands, to the peer and to time.
@Suite struct MultiplexerTests {
    private var multiplexer = Multiplexer(side: .client)
    private let mine = channel(1)
    private let theirs = channel(0x8000)

    private mutating func receive(_ bytes: [UInt8]) -> [Multiplexer.Effect] { multiplexer.receive(bytes, at: .zero) }

    /// Opens a channel of ours.
    private mutating func open() {
        #expect(multiplexer.open("sip", at: .zero).0 == mine)
        #expect(receive(request("sip", mine, .accept)) == [.opened(mine)])
    }

    // MARK: Opening

    @Test mutating func theVersionIsSentOnce() {
        #expect(multiplexer.start(at: .zero) == [.send(version)])
        #expect(multiplexer.start(at: .zero) == [])
    }

    @Test mutating func anAcceptedChannelIsOpen() {
        let (id, effects) = multiplexer.open("sip", at: .zero)
        #expect(id == mine && effects == [.send(request("sip", mine))])
        #expect(multiplexer.send([1], on: mine) == [.ignored(.noSuchChannel(mine))])
        #expect(receive(request("sip", mine, .accept)) == [.opened(mine)])
        #expect(multiplexer.isOpen(mine) && multiplexer.deadline == nil)
        #expect(multiplexer.send([1, 2], on: mine) == [.send(frame(mine, [1, 2]))])
        #expect(receive(frame(mine, [3])) == [.received([3], on: mine)])
    }

    @Test mutating func aDeclinedChannelIsGone() {
        _ = multiplexer.open("sip", at: .zero)
        #expect(receive(request("sip", mine, .decline)) == [.declined(mine)])
        #expect(multiplexer.channelCount == 0 && multiplexer.deadline == nil)
    }

    @Test mutating func aRequestThatIsNotAnsweredIsDeclined() throws {
        _ = multiplexer.open("sip", at: .zero)
        let deadline = try #require(multiplexer.deadline)
        #expect(Instant.zero.duration(to: deadline) == Multiplexer.Configuration().openTimeout)
        #expect(multiplexer.advance(to: .zero) == [])
        #expect(multiplexer.advance(to: deadline) == [.declined(mine)])
        #expect(multiplexer.deadline == nil && multiplexer.channelCount == 0)
        // The late answer: the peer must not keep the channel.
        #expect(
            receive(request("sip", mine, .accept)) == [.send(frame(mine, [])), .ignored(.unexpectedAnswer(mine))])
    }

    @Test mutating func thePeersRequestIsAccepted() {
        #expect(receive(request("sip", theirs)) == [.requested(theirs, name: "sip")])
        #expect(multiplexer.send([1], on: theirs) == [.ignored(.noSuchChannel(theirs))])
        #expect(multiplexer.accept(theirs) == [.send(request("sip", theirs, .accept))])
        #expect(multiplexer.accept(theirs) == [.ignored(.noSuchChannel(theirs))])
        #expect(multiplexer.decline(theirs) == [.ignored(.noSuchChannel(theirs))])
        #expect(multiplexer.send([1], on: theirs) == [.send(frame(theirs, [1]))])
    }

    @Test mutating func thePeersRequestIsDeclined() {
        _ = receive(request("git://x", theirs))
        #expect(multiplexer.decline(theirs) == [.send(request("git://x", theirs, .decline))])
        #expect(multiplexer.channelCount == 0)
        #expect(receive(request("git://x", theirs)) == [.requested(theirs, name: "git://x")])
        #expect(multiplexer.close(theirs) == [.send(request("git://x", theirs, .decline))])
    }

    @Test mutating func severalRequestsMayShareAPayload() {
        let payload = [1, 2, 3].flatMap {
            ChannelRequest(name: "c\($0)", channel: channel(UInt16($0)), state: .request).bytes
        }
        #expect(
            receive(frame(.control, payload))
                == [
                    .requested(channel(1), name: "c1"), .requested(channel(2), name: "c2"),
                    .requested(channel(3), name: "c3"),
                ])
    }

    // MARK: Numbers

    @Test func eachSideCountsFromItsOwnStart() {
        for (side, first) in [(Multiplexer.Side.client, 1), (.server, 0x8000)] {
            var multiplexer = Multiplexer(side: side)
            for offset in 0..<5 {
                #expect(multiplexer.open("x", at: .zero).0 == channel(UInt16(first + offset)))
            }
        }
    }

    @Test mutating func numbersGoRoundAndSkipThoseInUse() {
        #expect(multiplexer.open("kept", at: .zero).0 == mine)
        for number in UInt16(2)...0xFFFE {
            #expect(multiplexer.open("x", at: .zero).0 == channel(number))
            #expect(multiplexer.close(channel(number)) == [])
        }
        _ = receive(request("theirs", channel(2)))
        #expect(multiplexer.open("x", at: .zero).0 == channel(3))
    }

    @Test mutating func requestsForUnusableNumbersAreDeclined() {
        open()
        for id in [mine, .control, .protocol] {
            #expect(
                receive(request("x", id))
                    == [.send(request("x", id, .decline)), .ignored(.unusableNumber(id))])
        }
        #expect(multiplexer.isOpen(mine))
        _ = receive(request("x", theirs))
        #expect(receive(request("x", theirs)).last == .ignored(.unusableNumber(theirs)))
        #expect(multiplexer.accept(theirs) == [.send(request("x", theirs, .accept))])
    }

    // MARK: Data

    @Test mutating func dataThatOvertakesTheAnswerIsKept() {
        _ = multiplexer.open("sip", at: .zero)
        #expect(receive(frame(mine, [1])) == [])
        #expect(receive(frame(mine, [2]) + frame(mine, [])) == [])
        #expect(
            receive(request("sip", mine, .accept) + frame(mine, [3]))
                == [
                    .opened(mine), .received([1], on: mine), .received([2], on: mine), .closed(mine),
                    .ignored(.noSuchChannel(mine)),
                ])
    }

    @Test mutating func dataBehindARequestIsKept() {
        #expect(receive(request("x", theirs) + frame(theirs, [1])) == [.requested(theirs, name: "x")])
        #expect(
            multiplexer.accept(theirs) == [.send(request("x", theirs, .accept)), .received([1], on: theirs)])
        #expect(receive(frame(theirs, [2])) == [.received([2], on: theirs)])
    }

    @Test mutating func aRequestMayBeWithdrawn() {
        _ = receive(request("x", theirs))
        #expect(receive(frame(theirs, [])) == [.closed(theirs)])
        #expect(multiplexer.accept(theirs) == [.ignored(.noSuchChannel(theirs))])
    }

    @Test mutating func anEmptyPayloadEndsAChannel() {
        open()
        #expect(receive(frame(mine, [])) == [.closed(mine)])
        #expect(receive(frame(mine, [1])) == [.ignored(.noSuchChannel(mine))])
        #expect(multiplexer.send([1], on: mine) == [.ignored(.noSuchChannel(mine))])
    }

    @Test mutating func closingEndsAChannel() {
        open()
        #expect(multiplexer.close(mine) == [.send(frame(mine, []))])
        #expect(multiplexer.close(mine) == [.ignored(.noSuchChannel(mine))])
        #expect(receive(frame(mine, [])) == [.ignored(.noSuchChannel(mine))])
    }

    @Test mutating func closingBeforeTheAnswerEndsTheChannelWithIt() {
        _ = multiplexer.open("sip", at: .zero)
        #expect(multiplexer.close(mine) == [])
        #expect(multiplexer.deadline == nil)
        #expect(receive(request("sip", mine, .accept)).first == .send(frame(mine, [])))
    }

    @Test mutating func aFrameHasItsBounds() {
        open()
        for count in [0, 65_536] {
            let bytes = [UInt8](repeating: 1, count: count)
            #expect(multiplexer.send(bytes, on: mine) == [.ignored(.payloadSize(count))])
        }
        let largest = [UInt8](repeating: 1, count: 65_535)
        #expect(multiplexer.send(largest, on: mine) == [.send(frame(mine, largest))])
    }

    // MARK: Versions and beacons

    @Test mutating func beaconsAreAnsweredAtOnce() {
        #expect(receive(ping) == [.send(pong)])
        #expect(receive(ping + ping) == [.send(pong), .send(pong)])
    }

    @Test mutating func beaconsWaitForTheVersion() throws {
        #expect(multiplexer.ping(at: .zero) == [])
        #expect(multiplexer.deadline == nil)
        #expect(receive(version) == [.send(ping)])
        #expect(multiplexer.peerVersion == 1)
        #expect(multiplexer.ping(at: .zero) == [])
        #expect(receive(pong) == [.alive])
        #expect(receive(pong) == [.ignored(.unexpectedPong)])
        #expect(multiplexer.ping(at: .zero) == [.send(ping)])
        let deadline = try #require(multiplexer.deadline)
        #expect(Instant.zero.duration(to: deadline) == .seconds(3))
        #expect(multiplexer.advance(to: deadline) == [.unresponsive])
        #expect(multiplexer.deadline == nil)
    }

    @Test mutating func peersWithoutBeaconsAreNotAsked() {
        let old = ProtocolMessage.version(0).frame.bytes
        #expect(receive(old) == [])
        #expect(multiplexer.ping(at: .zero) == [])
        #expect(receive(version) == [.send(ping)])
    }

    @Test mutating func unknownKeysArePassedOver() {
        let payload: [UInt8] =
            [0x84, 0xA1, 0x78, 0x92, 1, 2, 7, 0xC0, 0xA1, 0x76, 0xCF, 0, 0, 0, 0, 0, 0, 0, 2]
            + [0xA1, 0x70, 0xC3]
        #expect(receive(frame(.protocol, payload)) == [.send(pong)])
        #expect(multiplexer.peerVersion == 2)
    }

    @Test(
        arguments: [
            (0xFFFF, []), (0xFFFF, [0x93, 1, 2, 3]), (0xFFFF, [0x81, 0xA1, 0x70, 1]),
            (0xFFFF, [0x81, 0xA1, 0x76, 0xFF]),
            (0, []), (0, [0x93, 0xA1, 0x78, 1, 3]), (0, [0x93, 1, 1, 0]), (0, [0x92, 0xA1, 0x78]),
            (0, [0x93, 0xA1, 0xFF, 1, 0]), (0, [0x93, 0xA1, 0x78, 0xCE, 0, 1, 0, 0, 0]), (0, [0xC1]),
        ] as [(UInt16, [UInt8])])
    mutating func damagedPayloadsAreRefusedAndTheStreamGoesOn(number: UInt16, payload: [UInt8]) {
        guard case .ignored(.malformed)? = receive(frame(channel(number), payload)).last else {
            Issue.record("was not refused")
            return
        }
        #expect(receive(ping) == [.send(pong)])
    }

    @Test mutating func whatStandsBeforeDamageCounts() {
        let asked = ChannelRequest(name: "x", channel: theirs, state: .request).bytes
        let effects = receive(frame(.control, asked + [0x93]))
        #expect(effects.first == .requested(theirs, name: "x") && effects.count == 2)
    }

    @Test mutating func strayAnswersAreRefused() {
        open()
        for state: ChannelRequest.State in [.accept, .decline] {
            #expect(receive(request("sip", mine, state)) == [.ignored(.unexpectedAnswer(mine))])
            #expect(receive(request("", .control, state)) == [.ignored(.unexpectedAnswer(.control))])
        }
        #expect(receive(request("x", theirs, .decline)) == [.ignored(.unexpectedAnswer(theirs))])
        #expect(multiplexer.isOpen(mine))
    }
}

/// What a multiplexer does not let grow.
@Suite struct MultiplexerLimitTests {
    private func multiplexer(_ change: (inout Multiplexer.Configuration) -> Void) -> Multiplexer {
        var configuration = Multiplexer.Configuration()
        change(&configuration)
        return Multiplexer(side: .client, configuration: configuration)
    }

    @Test func channels() {
        var multiplexer = multiplexer { $0.channelLimit = 2 }
        #expect(multiplexer.open("a", at: .zero).0 != nil)
        #expect(multiplexer.receive(request("b", channel(9)), at: .zero) == [.requested(channel(9), name: "b")])
        #expect(refused(multiplexer.open("c", at: .zero)) == [.ignored(.tooManyChannels)])
        #expect(
            multiplexer.receive(request("c", channel(10)), at: .zero)
                == [.send(request("c", channel(10), .decline)), .ignored(.tooManyChannels)])
        #expect(multiplexer.channelCount == 2)
        _ = multiplexer.decline(channel(9))
        #expect(multiplexer.open("c", at: .zero).0 != nil)
    }

    @Test func noConfigurationExceedsTheNumbersThereAre() {
        var multiplexer = multiplexer { $0.channelLimit = .max }
        for _ in 0..<0xFFFE { #expect(multiplexer.open("", at: .zero).0 != nil) }
        #expect(refused(multiplexer.open("", at: .zero)) == [.ignored(.tooManyChannels)])
    }

    @Test func pendingRequests() {
        var multiplexer = multiplexer { $0.pendingRequestLimit = 2 }
        for number in [1, 2] as [UInt16] { _ = multiplexer.receive(request("x", channel(number)), at: .zero) }
        #expect(multiplexer.receive(request("x", channel(3)), at: .zero).last == .ignored(.tooManyRequests))
        _ = multiplexer.accept(channel(1))
        #expect(
            multiplexer.receive(request("x", channel(3)), at: .zero) == [.requested(channel(3), name: "x")])
    }

    @Test func names() {
        var multiplexer = multiplexer { $0.nameLimit = 4 }
        #expect(refused(multiplexer.open("five!", at: .zero)) == [.ignored(.nameTooLong)])
        #expect(multiplexer.open("four", at: .zero).0 != nil)
        let effects = multiplexer.receive(request("five!", channel(9)), at: .zero)
        #expect(effects == [.send(request("five!", channel(9), .decline)), .ignored(.nameTooLong)])
    }

    @Test func dataBeforeTheAnswer() {
        var multiplexer = multiplexer { $0.earlyDataLimit = 3 * (10 + Configuration.earlyFrameCost) }
        let ten = [UInt8](repeating: 1, count: 10)
        for isOurs in [true, false] {
            let id = isOurs ? channel(1) : channel(0x8000)
            if isOurs { _ = multiplexer.open("x", at: .zero) }
            if !isOurs { _ = multiplexer.receive(request("x", id), at: .zero) }
            for _ in 0..<3 { #expect(multiplexer.receive(frame(id, ten), at: .zero) == []) }
            #expect(
                multiplexer.receive(frame(id, ten), at: .zero)
                    == (isOurs
                        ? [.send(frame(id, [])), .declined(id), .ignored(.tooMuchEarlyData(id))]
                        : [
                            .send(request("x", id, .decline)), .closed(id), .ignored(.tooMuchEarlyData(id)),
                        ]))
        }
        #expect(multiplexer.channelCount == 0 && multiplexer.deadline == nil)
    }

    private typealias Configuration = Multiplexer.Configuration
}
