import SansIO
import SwiftICE

extension FuzzTarget {
    /// Messages of multicast DNS: what was read is written, and reads as the same.
    static let dnsMessage = FuzzTarget(name: "dns-message") { bytes throws(Finding) in
        guard let message = try? DNSMessage(decoding: bytes) else { return }
        try require((try? DNSMessage(decoding: message.bytes)) == message, "\(message) survives")
    }

    /// A resolver of names on the link: every name ends once, whatever comes.
    static let localNames = FuzzTarget(name: "local-names") { bytes throws(Finding) in
        var choices = Choices(bytes)
        var resolver = LocalNameResolver(random: .seeded(1))
        var (now, open, asked) = (Instant.zero, [String](), [[UInt8]]())
        func take(_ effects: [LocalNameResolver.Effect]) throws(Finding) {
            for effect in effects {
                switch effect {
                case .send(let question): asked = Array((asked + [question]).suffix(8))
                case .resolved(let name, let addresses):
                    try require(open.contains(name), "a name ends once")
                    try require(addresses.count <= resolver.configuration.addressLimit, "addresses are bounded")
                    open.removeAll { $0 == name }
                case .ignored: break
                }
            }
        }
        for _ in 0..<256 where !choices.isAtEnd {
            switch choices.byte() & 3 {
            case 0:
                let isPlain = choices.byte() & 1 == 0
                let name =
                    isPlain
                    ? "host\(choices.byte() & 15).local" : String(decoding: choices.bytes(), as: UTF8.self)
                guard !open.contains(name) else { break }
                open.append(name)
                try take(resolver.resolve(name, at: now))
            case 1: try take(resolver.receive(choices.bytes().span, toGroup: choices.byte() & 1 == 0, at: now))
            default:
                guard let question = choices.element(of: asked), var message = try? DNSMessage(decoding: question),
                    let name = message.questions.first?.name
                else { break }
                message.isResponse = true
                for _ in 0..<choices.byte() & 15 {
                    let shape = choices.byte()
                    let address: IPAddress =
                        shape & 1 == 0 ? .v4(UInt32(choices.word()) << 16) : .v6(high: 1, low: UInt64(shape))
                    message.answers.append(DNSMessage.Answer(name, address, lifetimeSeconds: 10))
                }
                try take(resolver.receive(message.bytes.span, toGroup: choices.byte() & 1 == 0, at: now))
            }
            let later = now.advanced(by: choices.duration())
            try take(try pass(&resolver, until: later))
            now = later
        }
        try take(try pass(&resolver, until: now.advanced(by: .seconds(30))))
        try require(open.isEmpty && resolver.deadline == nil, "every name ends")
    }
}
