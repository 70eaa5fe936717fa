import SansIO
import SwiftICE

extension FuzzTarget {
    /// A STUN client with credentials of each kind: every request ends once, whatever the server answers.
    static let stunClient = FuzzTarget(name: "stun-client") { bytes throws(Finding) in
        var fuzz = STUNClientFuzz(Choices(bytes))
        try fuzz.run()
    }
}

private struct STUNClientFuzz {
    private var choices: Choices
    private var client: STUNClient
    private var now = Instant.zero
    private var asked: [[UInt8]] = []
    private var open: [STUNClient.RequestID] = []

    init(_ choices: Choices) {
        self.choices = choices
        let shape = self.choices.byte()
        let credentials: [STUNClient.Credentials] = [
            .longTerm(username: "user", password: "pass"), .shortTerm(username: "a:b", password: "pass"), .none,
        ]
        client = STUNClient(
            leg: shape & 1 == 0 ? .datagram : .stream, credentials: credentials[Int(shape >> 1) % 3],
            random: .seeded(1))
    }

    mutating func run() throws(Finding) {
        for _ in 0..<512 where !choices.isAtEnd {
            switch choices.byte() % 4 {
            case 0:
                let (id, effects) = client.request(choices.byte() & 1 == 0 ? .binding : .refresh, at: now)
                open.append(id)
                try take(effects)
            case 1: try take(client.receive(choices.bytes().span, at: now))
            default: try take(client.receive(answer().span, at: now))
            }
            let later = now.advanced(by: choices.duration())
            try take(try pass(&client, until: later))
            now = later
            try require(client.openRequests == open.count, "open requests are those that did not end")
        }
        try take(try pass(&client, until: now.advanced(by: .seconds(200))))
        try require(open.isEmpty && client.deadline == nil, "every request ends")
    }

    private mutating func answer() -> [UInt8] {
        guard let bytes = choices.element(of: asked), let request = try? Message(decoding: bytes) else { return [] }
        let shape = choices.byte()
        let isError = shape & 1 == 1
        var builder = MessageBuilder(isError ? .error : .success, request.type.method, request.transaction)
        if isError { builder.add(.errorCode(ErrorCode(rawValue: 300 + choices.word() % 400), reason: "")) }
        if shape & 2 == 0 { builder.add(.realm("lab")) }
        if shape & 4 == 0 { builder.add(.nonce(shape & 8 == 0 ? [shape] : Array("obMatJos2wAAA".utf8))) }
        if shape & 16 == 0 { builder.add(.passwordAlgorithms([shape & 32 == 0 ? .sha256 : .md5])) }
        if shape & 64 != 0 { builder.add(.unknown(AttributeType(rawValue: choices.word()), choices.bytes())) }
        guard shape & 0x80 == 0 else { return builder.finished() }
        let keys = [
            IntegrityKey(shortTerm: "pass"), IntegrityKey(longTerm: "user", realm: "lab", password: "pass"),
            IntegrityKey(longTerm: "user", realm: "lab", password: "pass", algorithm: .sha256),
        ]
        let choice = choices.byte()
        if choice & 4 == 0 { builder.addIntegrity(keys[Int(choice & 3) % 3]) }
        if choice & 4 != 0 { builder.addIntegritySHA256(keys[Int(choice & 3) % 3]) }
        return builder.finishedWithFingerprint()
    }

    private mutating func take(_ effects: [STUNClient.Effect]) throws(Finding) {
        try require(effects.count <= effectLimit, "the effects of an input are bounded")
        for effect in effects {
            switch effect {
            case .send(let bytes):
                asked.append(bytes)
                if asked.count > 8 { asked.removeFirst() }
            case .succeeded(let id, _), .failed(let id, _):
                try require(open.contains(id), "a request ends once")
                open.removeAll { $0 == id }
            case .ignored: break
            }
        }
    }
}
