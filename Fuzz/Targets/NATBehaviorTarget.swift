import SansIO
import SwiftICE

extension FuzzTarget {
    /// The discovery of what NATs do: the bytes choose what the server answers, from where, and the clock.
    static let natBehavior = FuzzTarget(name: "nat-behavior") { bytes throws(Finding) in
        var fuzz = NATBehaviorFuzz(Choices(bytes))
        try fuzz.run()
    }
}

private struct NATBehaviorFuzz {
    private struct Question {
        let request: Message
        let destination: Endpoint
        let socket: NATBehaviorDiscovery.Socket
    }

    private static let server = Endpoint(.v4(0x1400_0001), port: 3478)

    private var choices: Choices
    private var discovery: NATBehaviorDiscovery
    private var now = Instant.zero
    private var asked: [Question] = []
    private var isOver = false
    private var sent = 0

    init(_ choices: Choices) {
        self.choices = choices
        let local = self.choices.byte() & 1 == 0 ? nil : Endpoint(.v4(0xC0A8_0102), port: 5000)
        discovery = NATBehaviorDiscovery(server: Self.server, local: local, random: .seeded(1))
    }

    mutating func run() throws(Finding) {
        try take(discovery.start(at: now))
        for _ in 0..<256 where !choices.isAtEnd {
            switch choices.byte() & 3 {
            case 0:
                let (bytes, source) = (choices.bytes(), endpoint())
                try take(discovery.receive(bytes.span, on: socket(), from: source, at: now))
            case 1:
                // What was sent to ourselves comes back, or pretends to.
                guard let question = choices.element(of: asked) else { break }
                let bytes = MessageBuilder(.request, .binding, question.request.transaction).finishedWithFingerprint()
                try take(discovery.receive(bytes.span, on: socket(), from: endpoint(), at: now))
            default: try answer()
            }
            let later = now.advanced(by: choices.duration())
            try take(try pass(&discovery, until: later))
            now = later
        }
        try take(try pass(&discovery, until: now.advanced(by: .seconds(120))))
        try require(isOver, "a discovery ends, whatever the server does")
        try require(discovery.deadline == nil, "a discovery that has ended waits for nothing")
        try require(sent <= 8 * 3 * 4, "requests are bounded")
    }

    private mutating func socket() -> NATBehaviorDiscovery.Socket { choices.byte() & 1 == 0 ? .first : .second }

    /// One of a few, so that they meet again: the server's four, and ours.
    private mutating func endpoint() -> Endpoint {
        let choice = choices.byte()
        if choice & 0x80 != 0 { return Endpoint(.v6(high: 1, low: UInt64(choice & 3)), port: UInt16(choice)) }
        return Endpoint(.v4(0x1400_0001 + UInt32(choice & 3)), port: 3478 + UInt16(choice >> 2 & 3))
    }

    private mutating func answer() throws(Finding) {
        guard let question = choices.element(of: asked) else { return }
        let shape = choices.byte()
        var builder = MessageBuilder(shape & 1 == 0 ? .success : .error, .binding, question.request.transaction)
        if shape & 1 == 1 { builder.add(.errorCode(ErrorCode(rawValue: 300 + choices.word() % 400), reason: "")) }
        if shape & 2 == 0 { builder.add(.xorAddress(.xorMappedAddress, endpoint())) }
        if shape & 4 == 0 { builder.add(.address(.otherAddress, endpoint())) }
        if shape & 8 != 0 { builder.add(.unknown(AttributeType(rawValue: choices.word()), choices.bytes())) }
        let source = shape & 16 == 0 ? question.destination : endpoint()
        let receiver = shape & 32 == 0 ? question.socket : socket()
        let bytes = shape & 64 == 0 ? builder.finishedWithFingerprint() : builder.finished()
        try take(discovery.receive(bytes.span, on: receiver, from: source, at: now))
    }

    private mutating func take(_ effects: [NATBehaviorDiscovery.Effect]) throws(Finding) {
        try require(effects.count <= effectLimit, "the effects of an input are bounded")
        for effect in effects {
            if case .ignored = effect { continue }
            try require(!isOver, "nothing follows the end, as \(effect) does")
            switch effect {
            case .send(let bytes, let destination, let socket):
                sent += 1
                guard let request = try? Message(decoding: bytes) else { throw Finding(fact: "what is sent is STUN") }
                asked.append(Question(request: request, destination: destination, socket: socket))
                if asked.count > 8 { asked.removeFirst() }
            case .finished, .failed: isOver = true
            case .ignored: break
            }
        }
    }
}
