public import SansIO

/// Finds the addresses of hosts on our links by their `.local` names: questions of multicast DNS from a port of our own,
/// whose answers come to us alone (RFC 6762 §5.1, §6.7). Responders of some programs answer everybody all the same, so that
/// the group is heard, too.
///
/// Order of use: ``resolve(_:at:)`` for each name, feed what arrives; every name ends with ``Effect/resolved(_:_:)``.
public struct LocalNameResolver: Machine {
    /// What the resolver asks of its driver, and tells it.
    public enum Effect: Hashable, Sendable {
        /// Send to ``group(_:)`` of both families, on every link.
        case send([UInt8])
        /// The addresses of a name, in the order they were told; none when nobody answered in time.
        case resolved(String, [IPAddress])
        /// Input that changes nothing.
        case ignored
    }

    /// The limits and intervals.
    public struct Configuration: Hashable, Sendable {
        /// The wait before a question is repeated; it doubles each time (RFC 6762 §5.2).
        public var interval = Duration.seconds(1)
        /// How many times a question is asked.
        public var attempts = 3
        /// How long after the last time it is given up.
        public var patience = Duration.milliseconds(1_500)
        /// How many names may be open at a time.
        public var nameLimit = 8
        /// How many addresses of a name are told.
        public var addressLimit = 8

        /// The usual limits.
        public init() {}
    }

    private struct Search: Hashable, Sendable {
        let text: String
        let name: DNSName
        let id: UInt16
        var attempts = 0
    }

    /// The limits and intervals.
    public let configuration: Configuration
    private var random: RandomSource
    private var searches: [Search] = []
    private var timers = TimerTable<String>()

    /// Prepares a resolver.
    public init(configuration: Configuration = Configuration(), random: RandomSource) {
        self.configuration = configuration
        self.random = random
    }

    /// Where questions go (RFC 6762 §3).
    public static func group(_ family: IPAddress.Family) -> Endpoint {
        switch family {
        case .v4: Endpoint(.v4(0xE000_00FB), port: 5353)
        case .v6: Endpoint(.v6(high: 0xFF02_0000_0000_0000, low: 0xFB), port: 5353)
        }
    }

    /// When a question is repeated or given up.
    public var deadline: Instant? { timers.deadline }

    /// Asks for the addresses of a name; names that are no host's on the link have none.
    public mutating func resolve(_ text: String, at now: Instant) -> [Effect] {
        guard !searches.contains(where: { $0.text == text }) else { return [] }
        guard let name = DNSName(text), name.labels.count >= 2, name.labels.last == Array("local".utf8),
            searches.count < configuration.nameLimit
        else { return [.resolved(text, [])] }
        searches.append(Search(text: text, name: name, id: UInt16(truncatingIfNeeded: random.next())))
        return ask(searches.count - 1, at: now)
    }

    /// Takes a datagram.
    ///
    /// - Parameter toGroup: whether it came to everybody, and not to the port questions leave from. What comes there must
    ///   repeat the question's number, which nobody else knows.
    public mutating func receive(_ datagram: Span<UInt8>, toGroup: Bool, at now: Instant) -> [Effect] {
        guard let message = try? DNSMessage(decoding: [UInt8](datagram)), message.isResponse else { return [.ignored] }
        let answered = searches.filter { search in
            (toGroup || search.id == message.id) && !addresses(of: search.name, in: message).isEmpty
        }
        guard !answered.isEmpty else { return [.ignored] }
        searches.removeAll { answered.contains($0) }
        for search in answered { timers.cancel(search.text) }
        return answered.map { .resolved($0.text, addresses(of: $0.name, in: message)) }
    }

    private func addresses(of name: DNSName, in message: DNSMessage) -> [IPAddress] {
        var found: [IPAddress] = []
        for answer in message.answers where answer.name == name && Self.isUsable(answer.address) {
            if !found.contains(answer.address) { found.append(answer.address) }
        }
        // Without its link, a link-local address leads nowhere.
        let wider = found.filter { !$0.isLinkLocal }
        return Array((wider.isEmpty ? found : wider).prefix(configuration.addressLimit))
    }

    /// Asks again, or gives up.
    public mutating func advance(to now: Instant) -> [Effect] {
        var effects: [Effect] = []
        while let text = timers.popDue(at: now) {
            guard let index = searches.firstIndex(where: { $0.text == text }) else { continue }
            if searches[index].attempts < configuration.attempts {
                effects += ask(index, at: now)
            } else {
                searches.remove(at: index)
                effects.append(.resolved(text, []))
            }
        }
        return effects
    }

    private mutating func ask(_ index: Int, at now: Instant) -> [Effect] {
        searches[index].attempts += 1
        let search = searches[index]
        let isLast = search.attempts >= configuration.attempts
        let wait = isLast ? configuration.patience : configuration.interval * (1 << min(search.attempts - 1, 10))
        timers.set(search.text, at: now.advanced(by: max(wait, .milliseconds(1))))
        let questions = IPAddress.Family.allCases.map { family in
            DNSMessage.Question(search.name, type: DNSMessage.addressType(of: family))
        }
        return [.send(DNSMessage(id: search.id, questions: questions).bytes)]
    }

    private static func isUsable(_ address: IPAddress) -> Bool {
        !address.isUnspecified && !address.isMulticast && !address.isLoopback
    }
}
