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

extension FuzzTarget {
    /// A responder with names of ours: what it says can be read, holds our addresses alone, and is bounded in number.
    static let ownNames = FuzzTarget(name: "own-names") { bytes throws(Finding) in
        var choices = Choices(bytes)
        var responder = LocalNameResponder(random: .seeded(1))
        var (now, names, answers) = (Instant.zero, [IPAddress: String](), 0)
        func take(_ effects: [LocalNameResponder.Effect]) throws(Finding) {
            for effect in effects {
                switch effect {
                case .tell(let bytes, let address):
                    let told = try? DNSMessage(decoding: bytes)
                    try require(told?.answers.map(\.address) == [address], "one address is told where it is")
                    try require(told?.answers.first?.name == names[address].flatMap { DNSName($0) }, "under its name")
                case .answer(let bytes, _):
                    answers += 1
                    let told = (try? DNSMessage(decoding: bytes))?.answers ?? []
                    try require(!told.isEmpty && told.allSatisfy { names[$0.address] != nil }, "our names are told")
                case .ignored: break
                }
            }
        }
        for _ in 0..<256 where !choices.isAtEnd {
            let address = IPAddress.v4(0x0A00_0000 | UInt32(choices.byte() & 63))
            let source = Endpoint(address, port: choices.byte() & 1 == 0 ? 5353 : 40_000)
            switch choices.byte() & 7 {
            case 0, 1:
                let (name, effects) = responder.publish(address, at: now)
                if let name { names[address] = name }
                try require(names.count <= responder.configuration.nameLimit, "names are bounded")
                try take(effects)
            case 2:
                try take(responder.withdraw(address))
                names[address] = nil
            case 3: try take(responder.receive(choices.bytes().span, from: source, at: now))
            default:
                guard let name = names[address].flatMap({ DNSName($0) }) else { break }
                let (type, shape) = (choices.byte(), choices.byte())
                let question = DNSMessage.Question(
                    name, type: type & 1 == 0 ? UInt16(type) : 1, wantsUnicast: shape & 1 == 0)
                let known = DNSMessage.Answer(name, address, lifetimeSeconds: UInt32(type))
                let message = DNSMessage(questions: [question], answers: shape & 2 == 0 ? [] : [known])
                try take(responder.receive(message.bytes.span, from: source, at: now))
            }
            let later = now.advanced(by: choices.duration())
            try take(try pass(&responder, until: later))
            // Every answer but those of this second was given in an earlier one.
            let seconds = Int(Instant.zero.duration(to: later) / .seconds(1)) + 1
            try require(answers <= responder.configuration.answerLimit * seconds, "answers to single hosts are bounded")
            now = later
        }
        try take(responder.close())
        try require(responder.deadline == nil, "the end is the end")
    }
}
