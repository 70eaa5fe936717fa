import SIPLite
import SansIO
import SecureChannel
import Simulator
import Swiftlet
import TestIdentities

/// A node at some moment, and what a peer whose certificates are fine knows of it. Inputs go on from copies.
struct HostileStage: Sendable {
    let core: NodeCore
    let ledger: NodeLedger
    let sip: HostileSIP
    let now: Instant
    /// The channel of the multiplexer that carries SIP between both.
    let channel: Multiplexer.ChannelID

    /// A link that waits for calls; a call that rings; a call that was answered. None where there is no such node.
    static let all: [HostileStage] = (try? prepare()) ?? []

    /// Limits that a peer alone reaches, so that it shows whether others are served.
    private static func limit(_ configuration: inout NodeCore.Configuration) {
        configuration.linkLimit = 16
        configuration.callLimit = 8
        configuration.callsPerAccountLimit = 4
        configuration.flowsPerLinkLimit = 4
        configuration.contactRequestLimit = 4
        configuration.pendingRequestLimit = 4
        configuration.sip.maximumFlows = 64
    }

    private static func prepare() throws -> [HostileStage] {
        let (alice, bob, mallory) = (Identities.alice, Identities.bob, Identities.mallory)
        var setting = Scenario.Setting(seed: 1)
        setting.dhtNodeCount = 3
        let scenario = Scenario(setting)
        let node = try scenario.addNode("alice", alice, adjusting: limit)
        let friend = try scenario.addNode("bob", bob)
        let peer = try scenario.addNode("mallory", mallory)
        let tape = Tape(HostileSIP(node: "\(alice.accountID)", peer: "\(mallory.accountID)"), mallory.accountID)
        node.filter = { effect in
            tape.take(effect)
            return true
        }
        peer.filter = { effect in
            tape.heard(effect)
            return true
        }
        for host in [node, friend, peer] { try scenario.waitUntilAnnounced(host) }
        // Whom a node met it knows, so that no search for certificates stands before what follows.
        _ = friend.send("hello", to: alice.accountID)
        _ = peer.send("hello", to: alice.accountID)
        try scenario.wait(for: "both messages", within: .seconds(60)) {
            node.moments.count { if case .message = $0.event { true } else { false } } == 2
        }
        try scenario.run(for: .seconds(1))
        var stages = try [tape.stage(of: node, at: scenario.world.now)]
        _ = peer.call(alice.accountID)
        try scenario.wait(for: "call", within: .seconds(60)) { !node.incomingCalls.isEmpty }
        try scenario.run(for: .seconds(1))
        try stages.append(tape.stage(of: node, at: scenario.world.now))
        for call in node.incomingCalls { node.answer(call) }
        try scenario.run(for: .seconds(3))
        try stages.append(tape.stage(of: node, at: scenario.world.now))
        return stages
    }
}

/// What is said between a node and its peer while a stage is set.
private final class Tape {
    private var ledger = NodeLedger()
    private var sip: HostileSIP
    private var channel = Multiplexer.ChannelID(rawValue: 1)
    private let peer: AccountID
    private var finding: Finding?

    init(_ sip: HostileSIP, _ peer: AccountID) { (self.sip, self.peer) = (sip, peer) }

    func take(_ effect: NodeCore.Effect) {
        do throws(Finding) {
            if case .secureSend(let link, let bytes) = effect {
                // Who writes has an established channel.
                ledger.establish(link)
                if ledger.channel(of: link)?.account == peer {
                    for text in texts(in: bytes) { try sip.hear(text) }
                }
            }
            try ledger.take(effect)
        } catch { finding = finding ?? error }
    }

    func heard(_ effect: NodeCore.Effect) {
        guard case .secureSend(_, let bytes) = effect else { return }
        for text in texts(in: bytes) { sip.said(text) }
    }

    private func texts(in bytes: [UInt8]) -> [[UInt8]] {
        dataFrames(in: bytes).map { frame in
            channel = frame.channel
            return frame.payload
        }
    }

    func stage(of node: NodeHost, at now: Instant) throws -> HostileStage {
        if let finding { throw finding }
        var ledger = ledger
        (ledger.wanted, ledger.closing, ledger.work, ledger.written) = ([], [], [], [])
        return HostileStage(core: node.core, ledger: ledger, sip: sip, now: now, channel: channel)
    }
}

/// The frames of data in what a node writes on a link at a time; none where it is no frame.
func dataFrames(in bytes: [UInt8]) -> [ChannelFrame] {
    var deframer = ChannelDeframer()
    deframer.append(bytes)
    var frames: [ChannelFrame] = []
    while let frame = (try? deframer.next()) ?? nil {
        if frame.channel != .control, frame.channel != .protocol, !frame.payload.isEmpty { frames.append(frame) }
    }
    return frames
}
