public import SansIO

/// Gives addresses of ours names that say nothing, and tells the links whose they are: peers are told the names, and only
/// who is on a link of ours learns an address (draft-ietf-mmusic-mdns-ice-candidates §3.1).
///
/// The names are random UUIDs, so that nobody is asked whether he has them already; they are announced, questions about
/// them are answered (RFC 6762 §6), and they are taken back in the end. What a name has not is not said. Order of use:
/// ``publish(_:at:)`` for each address, feed what arrives, ``close()``.
public struct LocalNameResponder: Machine {
    /// What the responder asks of its driver.
    public enum Effect: Hashable, Sendable {
        /// Send from port 5353 to ``LocalNameResolver/group(_:)`` of both families, on the link that has this address.
        case tell([UInt8], IPAddress)
        /// Send from port 5353 to one host.
        case answer([UInt8], to: Endpoint)
        /// Input that changes nothing.
        case ignored
    }

    /// The limits and intervals.
    public struct Configuration: Hashable, Sendable {
        /// How many addresses have a name at a time.
        public var nameLimit = 32
        /// How often a new name is announced (RFC 6762 §8.3).
        public var announcements = 2
        /// The time between two answers to everybody about one name, at least (RFC 6762 §6).
        public var interval = Duration.seconds(1)
        /// How long an answer holds, in seconds (RFC 6762 §10).
        public var lifetimeSeconds: UInt32 = 120
        /// How long one to a host that does not hear the group holds (RFC 6762 §6.7).
        public var legacyLifetimeSeconds: UInt32 = 10
        /// How many answers go to single hosts within ``interval``, as anybody's address may be given as theirs.
        public var answerLimit = 32

        /// The usual limits.
        public init() {}
    }

    private struct Record: Hashable, Sendable {
        let address: IPAddress
        let name: DNSName
        let text: String
        var announcements: Int
        var lastTold: Instant
    }

    /// The type of a question about all records of a name (RFC 1035 §3.2.3).
    private static let anyType: UInt16 = 255
    /// Where those ask from who hear the group.
    private static let port = LocalNameResolver.group(.v4).port

    /// The limits and intervals.
    public let configuration: Configuration
    private var random: RandomSource
    private var records: [Record] = []
    private var timers = TimerTable<IPAddress>()
    /// When answers went to single hosts lately.
    private var answered: [Instant] = []

    /// Prepares a responder without names.
    public init(configuration: Configuration = Configuration(), random: RandomSource) {
        self.configuration = configuration
        self.random = random
    }

    /// When a name is told again.
    public var deadline: Instant? { timers.deadline }

    // MARK: - Names

    /// The name of an address, made and announced where it has none; `nil` when there are too many.
    public mutating func publish(_ address: IPAddress, at now: Instant) -> (name: String?, effects: [Effect]) {
        if let known = records.first(where: { $0.address == address }) { return (known.text, []) }
        guard records.count < configuration.nameLimit else { return (nil, [.ignored]) }
        let text = makeName()
        guard let name = DNSName(text) else { return (nil, [.ignored]) }
        records.append(
            Record(
                address: address, name: name, text: text, announcements: configuration.announcements, lastTold: now))
        return (text, tell(records.count - 1, at: now))
    }

    /// A random UUID of RFC 9562 §5.4.
    private mutating func makeName() -> String {
        var bytes = random.bytes(16)
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        var digits = Substring(Hexadecimal.encode(bytes))
        let groups = [8, 4, 4, 4, 12].map { count in
            defer { digits = digits.dropFirst(count) }
            return String(digits.prefix(count))
        }
        return groups.joined(separator: "-") + ".local"
    }

    /// Takes the name of an address back, and says so (RFC 6762 §10.1).
    public mutating func withdraw(_ address: IPAddress) -> [Effect] {
        guard let index = records.firstIndex(where: { $0.address == address }) else { return [.ignored] }
        timers.cancel(address)
        return [.tell(message(about: [records.remove(at: index)], lifetimeSeconds: 0).bytes, address)]
    }

    /// Takes all names back.
    public mutating func close() -> [Effect] { records.map(\.address).flatMap { withdraw($0) } }

    // MARK: - Questions

    /// Takes a datagram that came to the group.
    public mutating func receive(_ datagram: Span<UInt8>, from source: Endpoint, at now: Instant) -> [Effect] {
        guard let message = try? DNSMessage(decoding: [UInt8](datagram)), !message.isResponse else { return [.ignored] }
        let asked = records.indices.filter { index in
            message.questions.contains { isAbout($0, records[index]) } && !isKnown(records[index], to: message)
        }
        guard !asked.isEmpty else { return [.ignored] }
        // Who asks from another port hears the port it asks from only.
        if source.port != Self.port { return answer(asked, to: source, legacy: message, at: now) }
        let wantsUnicast = message.questions.allSatisfy(\.wantsUnicast)
        return wantsUnicast ? answer(asked, to: source, at: now) : asked.flatMap { tellSoon($0, at: now) }
    }

    private func isAbout(_ question: DNSMessage.Question, _ record: Record) -> Bool {
        question.name == record.name
            && (question.type == Self.anyType || question.type == DNSMessage.addressType(of: record.address.family))
    }

    /// Whether who asks says that it knows already, and for long enough (RFC 6762 §7.1).
    private func isKnown(_ record: Record, to message: DNSMessage) -> Bool {
        message.answers.contains {
            $0.name == record.name && $0.address == record.address
                && $0.lifetimeSeconds >= configuration.lifetimeSeconds / 2
        }
    }

    private mutating func answer(
        _ asked: [Int], to source: Endpoint, legacy question: DNSMessage? = nil, at now: Instant
    ) -> [Effect] {
        let horizon = now.advanced(by: .zero - configuration.interval)
        answered.removeAll { $0 <= horizon }
        guard answered.count < configuration.answerLimit else { return [.ignored] }
        answered.append(now)
        var reply = message(
            about: asked.map { records[$0] },
            lifetimeSeconds: question == nil ? configuration.lifetimeSeconds : configuration.legacyLifetimeSeconds)
        if let question {
            reply.id = question.id
            reply.questions = question.questions.filter { question in
                asked.contains { records[$0].name == question.name }
            }
            for index in reply.answers.indices { reply.answers[index].isUnique = false }
        }
        return [.answer(reply.bytes, to: source)]
    }

    private func message(about records: [Record], lifetimeSeconds: UInt32) -> DNSMessage {
        let answers = records.map { record in
            DNSMessage.Answer(record.name, record.address, lifetimeSeconds: lifetimeSeconds, isUnique: true)
        }
        return DNSMessage(isResponse: true, answers: answers)
    }

    // MARK: - Telling everybody

    /// Tells a name, or as soon as the last time is long enough ago.
    private mutating func tellSoon(_ index: Int, at now: Instant) -> [Effect] {
        let next = records[index].lastTold.advanced(by: configuration.interval)
        guard next > now else { return tell(index, at: now) }
        timers.set(records[index].address, at: next)
        return []
    }

    private mutating func tell(_ index: Int, at now: Instant) -> [Effect] {
        records[index].lastTold = now
        records[index].announcements -= 1
        let record = records[index]
        if record.announcements > 0 {
            timers.set(record.address, at: now.advanced(by: max(configuration.interval, .milliseconds(1))))
        } else {
            timers.cancel(record.address)
        }
        return [.tell(message(about: [record], lifetimeSeconds: configuration.lifetimeSeconds).bytes, record.address)]
    }

    /// Tells again what is to be told again.
    public mutating func advance(to now: Instant) -> [Effect] {
        var effects: [Effect] = []
        while let address = timers.popDue(at: now) {
            if let index = records.firstIndex(where: { $0.address == address }) { effects += tell(index, at: now) }
        }
        return effects
    }
}
