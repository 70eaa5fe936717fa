internal import SansIO

/// Addresses that a NAT of the peer is about to give.
extension ICEAgent {
    /// Guesses where the peer's next checks will come from, where both sides agreed to that.
    ///
    /// Two reflexive addresses of one component that differ a little in their port are those of a NAT that counts its
    /// ports up, one for each destination. What is sent to the ports that follow opens our own filter for the check that
    /// will come from one of them: the only direct way where our filter looks at ports and the peer's mapping does not
    /// last (RFC 5128 §3.6 calls it port prediction).
    mutating func predict() {
        guard peer.predictsPorts else { return }
        for component in 1...components where !predictions.contains(where: { $0.component == component }) {
            guard let (last, step) = countingPorts(component) else { continue }
            for number in 1...max(1, configuration.predictionLimit) {
                let port = Int(last.port) + step * number
                guard port <= UInt16.max else { break }
                add(prediction: Endpoint(last.address, port: UInt16(port)), number, component)
            }
        }
    }

    /// The highest port of an address that seems to count its ports up, and by how much.
    private func countingPorts(_ component: Int) -> (last: Endpoint, step: Int)? {
        let seen = remotes.filter {
            $0.component == component && $0.transport == .udp && $0.kind == .serverReflexive
        }.map(\.endpoint)
        for (index, one) in seen.enumerated() {
            for other in seen[(index + 1)...] where other.address == one.address {
                let step = abs(Int(one.port) - Int(other.port))
                guard (1...configuration.predictionStep).contains(step) else { continue }
                return (one.port > other.port ? one : other, step)
            }
        }
        return nil
    }

    private mutating func add(prediction endpoint: Endpoint, _ number: Int, _ component: Int) {
        guard
            !remotes.contains(where: {
                $0.component == component && $0.transport == .udp && $0.endpoint == endpoint
            }), remotes.count(where: { $0.component == component }) < configuration.remoteCandidateLimit
        else { return }
        // Below what the peer told, above relays; each a foundation of its own, as none says anything of the others.
        let candidate = Candidate(
            foundation: Foundation(random: &random), component: component, transport: .udp,
            priority: Priority.candidate(
                .serverReflexive, localPreference: UInt16(max(0, 255 - number)), component: component),
            endpoint: endpoint, kind: .serverReflexive)
        predictions.append(candidate)
        remotes.append(candidate)
    }
}
