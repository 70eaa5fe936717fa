import SansIO
import SecureChannel
import SwiftDHT
import Swiftlet
import TestIdentities

extension FuzzTarget {
    /// A whole node whose peer has fine certificates: the bytes choose what it says anywhere, what the user does, and
    /// the clock. Whatever it was, the node gives everything back and serves others.
    static let hostilePeer = FuzzTarget(name: "hostile-peer") { bytes throws(Finding) in
        var choices = Choices(bytes)
        guard let stage = choices.element(of: HostileStage.all) else { throw Finding(fact: "the stages are set") }
        var fuzz = HostilePeerFuzz(choices, stage, peer: Identities.mallory, other: Identities.bob)
        try fuzz.run()
    }
}

/// One run; the extensions hold what the peer says.
struct HostilePeerFuzz {
    /// Longer than anything is waited for on behalf of a peer that is gone.
    private static let patience = Duration.seconds(200)
    private static let stepLimit = 64
    /// How many calls the user has at most before making another one, so that own calls are not what is in the way.
    private static let ownCallLimit = 3

    var choices: Choices
    var core: NodeCore
    var ledger: NodeLedger
    var sip: HostileSIP
    var now: Instant
    let channel: Multiplexer.ChannelID
    let peer: Identity
    private let other: Identity
    /// Numbers of requests, which are never used twice.
    var lastRequest: UInt64 = 1 << 40

    init(_ choices: Choices, _ stage: HostileStage, peer: Identity, other: Identity) {
        (self.choices, self.peer, self.other) = (choices, peer, other)
        (core, ledger, sip, now, channel) = (stage.core, stage.ledger, stage.sip, stage.now, stage.channel)
    }

    mutating func run() throws(Finding) {
        for _ in 0..<Self.stepLimit where !choices.isAtEnd {
            try step()
            try pass(choices.duration() / 4)
            try checkLimits()
        }
        try serveOther()
        try finish()
    }

    private mutating func step() throws(Finding) {
        switch choices.byte() % 16 {
        case 0, 1, 2, 3: try say(sip.request(&choices))
        case 4, 5: if let response = sip.response(&choices) { try say(response) }
        case 6: try multiplex()
        case 7: try mail()
        case 8, 9: try drive()
        case 10: try secure()
        case 11, 12: try act()
        default: try network()
        }
    }

    // MARK: - The user

    private mutating func act() throws(Finding) {
        let action = choices.byte() % 16
        // One that never was stands for those that are gone.
        let call = choices.element(of: ledger.calls) ?? CallID(rawValue: 1 << 20)
        switch action {
        case 0, 1, 2: try input { $0.answer(call, at: $1) }
        case 3: try input { $0.hold(call, at: $1) }
        case 4: try input { $0.resume(call, at: $1) }
        case 5: try input { $0.restartMedia(call, at: $1) }
        case 6: try input { $0.mute(true, in: call, at: $1) }
        case 7: try input { $0.mute(false, in: call, at: $1) }
        case 8: try input { $0.send(Message(text: "hello"), in: call, at: $1) }
        case 9: try input { $0.decline(call, because: "no", at: $1) }
        case 10: try input { $0.hangUp(call, at: $1) }
        case 11, 12:
            guard ledger.calls.count < Self.ownCallLimit else { return }
            let (call, effects) = core.call(peer.accountID, at: now)
            ledger.begin(call)
            try take(effects)
        case 13:
            let (_, effects) = core.send(Message(text: "hello"), to: peer.accountID, at: now)
            try take(effects)
        case 14: try input { [id = peer.accountID] in $0.addContact(id, at: $1) }
        default:
            let isBanned = choices.byte() >= 224
            try input { [id = peer.accountID] in $0.removeContact(id, banning: isBanned, at: $1) }
        }
    }

    // MARK: - What must hold

    private func checkLimits() throws(Finding) {
        let (load, limits) = (core.load, core.limits)
        try require(load.links <= limits.linkLimit, "links are limited: \(load)")
        try require(load.calls <= limits.callLimit, "calls are limited: \(load)")
        try require(
            load.callsWithOneAccount <= limits.callsPerAccountLimit, "calls with one account are limited: \(load)")
        // Beside those the peer opened there may be the one that the node asked for.
        try require(load.flowsOfOneLink <= limits.flowsPerLinkLimit + 1, "flows are limited: \(load)")
        try require(load.channelsOfOneLink <= Multiplexer.Configuration().channelLimit, "channels are limited: \(load)")
        try require(load.contactRequests <= limits.contactRequestLimit, "contact requests are limited: \(load)")
        try require(load.presences <= limits.presenceLimit, "presences are limited: \(load)")
        try require(load.waitingSenders <= limits.pendingRequestLimit, "senders are limited: \(load)")
    }

    /// Somebody else asks for a link, gets it, and its call rings.
    private mutating func serveOther() throws(Finding) {
        let earlier = ledger.callers.count
        try mail(request(), as: ConnectionRequest.userType, .userData, in: .longID, from: other)
        for _ in 0..<100 {
            if let link = link(of: other.accountID), let channel = ledger.channel(of: link) {
                if !channel.isEstablished { try establish(link, as: other) }
                try input { [text = sip.invitation(from: "\(other.accountID)")] in
                    $0.secureOutput([.received(text)], for: link, at: $1)
                }
                break
            }
            for session in ledger.wanted { try gather(session.session) }
            for check in ledger.checks { try answer(check, under: HostileSIP.password) }
            try pass(.milliseconds(100))
        }
        try require(ledger.callers.dropFirst(earlier).contains(other.accountID), "others are served: \(core.load)")
    }

    private func link(of account: AccountID) -> LinkID? {
        ledger.channels.last { $0.account == account && $0.transport == .udp }?.link
    }

    /// When everybody is gone, so is what was held for them.
    private mutating func finish() throws(Finding) {
        for call in ledger.calls { try input { $0.hangUp(call, at: $1) } }
        // A driver answers, be it late; whom the answers lead to is gone.
        for _ in 0..<4 {
            for session in ledger.wanted.map(\.session) { try gather(session) }
            for id in ledger.work { try input { $0.worked(id, .failed, at: $1) } }
            ledger.work = []
            try pass(Self.patience / 4)
        }
        let load = core.load
        try require(ledger.isEmpty, "everything is given back: \(ledger.description)")
        try require(
            [load.links, load.flows, load.calls, load.legs, load.errands, load.messagesInFlight].allSatisfy { $0 == 0 },
            "nothing is kept: \(load)")
    }

    // MARK: - Inputs and effects

    mutating func input(_ body: (inout NodeCore, Instant) -> [NodeCore.Effect]) throws(Finding) {
        try take(body(&core, now))
    }

    mutating func take(_ effects: [NodeCore.Effect]) throws(Finding) {
        try require(effects.count <= effectLimit, "the effects of an input are bounded")
        for effect in effects { try ledger.take(effect) }
        let written = ledger.written
        ledger.written = []
        for (link, bytes) in written where ledger.channel(of: link)?.account == peer.accountID {
            try hear(bytes, on: link)
        }
        // The good-bye of TLS or DTLS is over at once.
        while let link = ledger.closing.popLast() { try input { $0.secureOutput([.closed], for: link, at: $1) } }
    }

    private mutating func hear(_ bytes: [UInt8], on link: LinkID) throws(Finding) {
        guard ledger.channel(of: link)?.transport == .tcp else { return try sip.hear(bytes) }
        for frame in dataFrames(in: bytes) { try sip.hear(frame.payload) }
    }

    private mutating func pass(_ duration: Duration) throws(Finding) {
        let end = now.advanced(by: duration)
        while let deadline = core.deadline, deadline <= end {
            now = max(now, deadline)
            try input { $0.advance(to: $1) }
            if let next = core.deadline { try require(next > now, "a deadline that was due is not due again") }
        }
        now = end
    }
}
