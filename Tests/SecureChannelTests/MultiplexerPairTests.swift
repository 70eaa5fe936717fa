import SansIO
import Testing

@testable import SecureChannel

/// Two multiplexers joined by streams that are cut at random.
private struct MultiplexerPair {
    enum End: Int, CaseIterable {
        case client, server

        var other: End { self == .client ? .server : .client }
    }

    var random: RandomSource
    var now = Instant.zero
    private var ends = [Multiplexer(side: .client), Multiplexer(side: .server)]
    /// What was sent to each end and has not arrived.
    private var underway: [[UInt8]] = [[], []]
    /// What each end was told, but for sending and refusals.
    private(set) var told: [[Multiplexer.Effect]] = [[], []]
    private(set) var refusals: [Multiplexer.Effect] = []

    init(seed: UInt64) {
        random = .seeded(seed)
        for end in End.allCases { command(end) { $0.start(at: .zero) } }
    }

    subscript(end: End) -> Multiplexer { ends[end.rawValue] }

    func told(_ end: End) -> [Multiplexer.Effect] { told[end.rawValue] }

    mutating func command(_ end: End, _ body: (inout Multiplexer) -> [Multiplexer.Effect]) {
        let effects = body(&ends[end.rawValue])
        for effect in effects {
            switch effect {
            case .send(let bytes): underway[end.other.rawValue] += bytes
            case .ignored: refusals.append(effect)
            default: told[end.rawValue].append(effect)
            }
        }
    }

    @discardableResult
    mutating func open(_ name: String, by end: End) -> Multiplexer.ChannelID? {
        var opened: Multiplexer.ChannelID?
        command(end) { [now] multiplexer in
            let (id, effects) = multiplexer.open(name, at: now)
            opened = id
            return effects
        }
        return opened
    }

    /// Lets one random piece arrive; whether there was any.
    mutating func deliver() -> Bool {
        let waiting = End.allCases.filter { !underway[$0.rawValue].isEmpty }
        guard let end = waiting.randomElement(using: &random) else { return false }
        let stream = underway[end.rawValue]
        let count = Int.random(in: 1...stream.count, using: &random)
        underway[end.rawValue] = Array(stream.dropFirst(count))
        command(end) { [now] in $0.receive(Array(stream.prefix(count)), at: now) }
        return true
    }

    mutating func settle() { while deliver() {} }
}

@Suite struct MultiplexerPairTests {
    @Test func simultaneousRequestsOfOneNameOpenTwoChannels() {
        for seed in 0..<50 as Range<UInt64> {
            var pair = MultiplexerPair(seed: seed)
            let ours = pair.open("sip", by: .client)
            let theirs = pair.open("sip", by: .server)
            #expect(ours?.rawValue == 0x0001 && theirs?.rawValue == 0x8000)
            guard let ours, let theirs else { return }
            pair.settle()
            #expect(pair.told(.client) == [.requested(theirs, name: "sip")])
            #expect(pair.told(.server) == [.requested(ours, name: "sip")])
            pair.command(.client) { $0.accept(theirs) }
            pair.command(.server) { $0.accept(ours) }
            pair.settle()
            #expect(pair.told(.client).last == .opened(ours) && pair.told(.server).last == .opened(theirs))
            #expect(pair.refusals.isEmpty)
        }
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func whatIsSentArrivesInOrderAndOnce(seed: UInt64) {
        var life = ChannelLife(seed: seed)
        life.run(steps: 400)
        for end in MultiplexerPair.End.allCases {
            #expect(life.arrived(at: end).count > 10)
            for (id, frames) in life.arrived(at: end) {
                let sent = life.sent(by: end.other)[id] ?? []
                // Whoever ends a channel no longer takes what is underway on it.
                #expect(life.wasEnded(id, by: end) ? Array(sent.prefix(frames.count)) == frames : sent == frames)
            }
            #expect(!life.pair.told(end).contains(.unresponsive))
        }
        #expect(life.pair[.client].channelCount == life.pair[.server].channelCount)
    }
}

/// Opens, uses and ends channels at random, and keeps the books.
private struct ChannelLife {
    typealias ChannelID = Multiplexer.ChannelID

    var pair: MultiplexerPair
    private var sentFrames: [[ChannelID: [[UInt8]]]] = [[:], [:]]
    private var ended: [Set<ChannelID>] = [[], []]
    private var count = 0

    init(seed: UInt64) { pair = MultiplexerPair(seed: seed) }

    func sent(by end: MultiplexerPair.End) -> [ChannelID: [[UInt8]]] { sentFrames[end.rawValue] }

    func wasEnded(_ id: ChannelID, by end: MultiplexerPair.End) -> Bool { ended[end.rawValue].contains(id) }

    func arrived(at end: MultiplexerPair.End) -> [ChannelID: [[UInt8]]] {
        var frames: [ChannelID: [[UInt8]]] = [:]
        for case .received(let bytes, let id) in pair.told(end) { frames[id, default: []].append(bytes) }
        return frames
    }

    mutating func run(steps: Int) {
        for _ in 0..<steps {
            step(as: Bool.random(using: &pair.random) ? .client : .server)
            answerRequests()
            if Bool.random(using: &pair.random) { _ = pair.deliver() }
        }
        pair.settle()
        answerRequests()
        pair.settle()
    }

    private mutating func step(as end: MultiplexerPair.End) {
        let open = openChannels(of: end)
        switch Int.random(in: 0..<10, using: &pair.random) {
        case 0, 1:
            count += 1
            pair.open("channel \(count)", by: end)
        case 2: pair.command(end) { [now = pair.now] in $0.ping(at: now) }
        case 3 where open.count > 20:
            guard let id = open.randomElement(using: &pair.random) else { return }
            ended[end.rawValue].insert(id)
            pair.command(end) { $0.close(id) }
        default:
            guard let id = open.randomElement(using: &pair.random) else { return }
            let length = [1, 3, 300, 9000, 65_535].randomElement(using: &pair.random) ?? 1
            let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: sentFrames[end.rawValue].count), count: length)
            sentFrames[end.rawValue][id, default: []].append(bytes)
            pair.command(end) { $0.send(bytes, on: id) }
        }
    }

    private func openChannels(of end: MultiplexerPair.End) -> [ChannelID] {
        let ids = pair.told(end).compactMap { effect -> ChannelID? in
            switch effect {
            case .opened(let id), .requested(let id, _): pair[end].isOpen(id) ? id : nil
            default: nil
            }
        }
        return ids.sorted()
    }

    /// Accepts three requests of four.
    private mutating func answerRequests() {
        for end in MultiplexerPair.End.allCases {
            for case .requested(let id, let name) in pair.told(end) {
                guard !pair[end].isOpen(id), !wasEnded(id, by: end) else { continue }
                let isWanted = !name.hasSuffix("0")
                if !isWanted { ended[end.rawValue].insert(id) }
                pair.command(end) { isWanted ? $0.accept(id) : $0.decline(id) }
            }
        }
    }
}
