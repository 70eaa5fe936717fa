internal import EventLoop
internal import SansIO
internal import SwiftICE

/// An outlet whose machine moves to another network, or gains and loses addresses.
extension Outlet {
    /// The machine's addresses or networks changed: what has come is opened before what is gone is closed, so that a session
    /// that loses its path has others to look at; and everybody is asked anew about the rest.
    func followNetwork() {
        guard !isClosed else { return }
        if configuration.agent.policy != .relayOnly {
            let present = surroundings.addresses()
            let gone = bases.filter { isGone($0, among: present) }
            let come = present.filter { address in
                !bases.contains { $0.with(port: 0) == address.with(port: 0) && !gone.contains($0) }
            }
            for address in come { openSocket(at: address) }
            for base in gone { close(base) }
        }
        renewMappings()
        renewRelay()
        ask()
        progressed()
    }

    /// Whether a base's address is gone. One that is only no longer listed, as it is deprecated or others are better, may
    /// carry a session for long.
    private func isGone(_ base: Endpoint, among present: [Endpoint]) -> Bool {
        guard !present.contains(where: { $0.with(port: 0) == base.with(port: 0) }) else { return false }
        return (try? Interfaces.hold(base.address)) != true
    }
}
