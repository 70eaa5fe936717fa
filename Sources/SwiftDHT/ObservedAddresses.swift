internal import SansIO

/// Judges at which addresses others see us, by what each of them said last.
///
/// One party has one vote, however often it speaks and under however many identifiers: those of one address, and of one
/// prefix of the Internet, are one.
struct ObservedAddresses: Sendable {
    private enum Reporter: Hashable, Sendable {
        case prefix(AddressPrefix)
        case host(SourceGroup)

        init(_ address: IPAddress) {
            self = AddressPrefix(address).map(Reporter.prefix) ?? .host(SourceGroup(address))
        }
    }

    private var statements: [Reporter: IPAddress] = [:]
    /// Who made the statements, the oldest first.
    private var reporters: [Reporter] = []
    /// Addresses somebody says, in the order in which they were first said.
    private var votes: [(address: IPAddress, count: Int)] = []
    /// What is believed, at most one address of each family.
    private var best: [IPAddress] = []

    /// Takes one report; returns the address most others name now, when that changed.
    mutating func count(_ address: IPAddress, by source: IPAddress, limit: Int) -> IPAddress? {
        let reporter = Reporter(source)
        let before = statements.updateValue(address, forKey: reporter)
        guard before != address else { return nil }
        if let before { withdraw(before) } else { register(reporter, limit: limit) }
        if let index = votes.firstIndex(where: { $0.address == address }) {
            votes[index].count += 1
        } else {
            votes.append((address, 1))
        }
        return elect(address.family)
    }

    private mutating func register(_ reporter: Reporter, limit: Int) {
        reporters.append(reporter)
        guard reporters.count > limit else { return }
        if let said = statements.removeValue(forKey: reporters.removeFirst()) { withdraw(said) }
    }

    private mutating func withdraw(_ address: IPAddress) {
        guard let index = votes.firstIndex(where: { $0.address == address }) else { return }
        votes[index].count -= 1
        if votes[index].count == 0 { votes.remove(at: index) }
    }

    /// Finds the address of a family with most votes; of equal ones what was believed before stays.
    private mutating func elect(_ family: IPAddress.Family) -> IPAddress? {
        let believed = best.firstIndex { $0.family == family }
        var winner = believed.flatMap { index in votes.first { $0.address == best[index] } }
        for vote in votes where vote.address.family == family && vote.count > winner?.count ?? 0 { winner = vote }
        guard let winner, winner.address != believed.map({ best[$0] }) else { return nil }
        if let believed { best[believed] = winner.address } else { best.append(winner.address) }
        return winner.address
    }

    /// What is believed of a family.
    func best(of family: IPAddress.Family) -> IPAddress? { best.first { $0.family == family } }

    /// Forgets everything, as after a change of network.
    mutating func reset() { self = ObservedAddresses() }
}
