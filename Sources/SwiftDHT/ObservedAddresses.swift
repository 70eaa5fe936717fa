internal import SansIO

/// Counts at which addresses others see us.
struct ObservedAddresses: Sendable {
    private var votes: [(address: IPAddress, count: Int)] = []
    private var best: [IPAddress.Family: IPAddress] = [:]

    /// Counts one report; returns the address when it became the most reported of its family.
    mutating func count(_ address: IPAddress, limit: Int) -> IPAddress? {
        if let index = votes.firstIndex(where: { $0.address == address }) {
            votes[index].count += 1
        } else {
            if votes.count >= limit { votes.removeLast() }
            votes.append((address, 1))
        }
        votes.sort { $0.count > $1.count }
        guard let first = votes.first(where: { $0.address.family == address.family }), first.address == address,
            best.updateValue(address, forKey: address.family) != address
        else { return nil }
        return address
    }

    /// Forgets everything, as after a change of network.
    mutating func reset() { self = ObservedAddresses() }
}
