public import SansIO

/// Candidates of the peer whose address is a name that is being resolved.
struct Resolution: Hashable, Sendable {
    let host: String
    var candidates: [Candidate]
}

extension ICEAgent {
    /// Adds a candidate line of the peer after the start; one with a `.local` name is resolved first.
    ///
    /// Other names are refused: to look them up would tell the peer's name server who asks. Nothing waits for a name,
    /// and a check that arrives from its address meanwhile makes a peer-reflexive candidate that becomes this one.
    public mutating func addRemoteCandidate(
        _ line: Candidate.Line, fragment: String? = nil, at now: Instant
    ) -> [Effect] {
        switch line {
        case .candidate(let candidate): return addRemoteCandidates([candidate], fragment: fragment, at: now)
        case .skipped: return [.ignored(.unusableCandidate)]
        case .named(let host, let candidate):
            if let refusal = refusal(ofCandidatesWith: fragment) { return [.ignored(refusal)] }
            return resolve(host.lowercased(), candidate, at: now)
        }
    }

    private mutating func resolve(_ host: String, _ candidate: Candidate, at now: Instant) -> [Effect] {
        guard host.hasSuffix(".local"), (1...components).contains(candidate.component), candidate.priority > 0,
            candidate.endpoint.port != 0
        else { return [.ignored(.unusableCandidate)] }
        if let index = resolutions.firstIndex(where: { $0.host == host }) {
            guard resolutions[index].candidates.count < configuration.resolutionLimit else {
                return [.ignored(.overLimit)]
            }
            resolutions[index].candidates.append(candidate)
            return []
        }
        guard resolutions.count < configuration.resolutionLimit else { return [.ignored(.overLimit)] }
        resolutions.append(Resolution(host: host, candidates: [candidate]))
        arm(.resolution(host: host), after: configuration.resolutionTimeout, at: now)
        return [.resolve(host: host)]
    }

    /// Reports the addresses of a name, none when it has none; the first of each family counts.
    public mutating func resolved(_ host: String, to addresses: [IPAddress], at now: Instant) -> [Effect] {
        let host = host.lowercased()
        guard let index = resolutions.firstIndex(where: { $0.host == host }) else {
            return [.ignored(.unusableCandidate)]
        }
        let candidates = resolutions.remove(at: index).candidates
        timers.cancel(.resolution(host: host))
        let first = IPAddress.Family.allCases.compactMap { family in addresses.first { $0.family == family } }
        guard !first.isEmpty else { return [.ignored(.unusableCandidate)] }
        let named = candidates.flatMap { candidate in
            first.map { address in
                var candidate = candidate
                candidate.endpoint = Endpoint(address, port: candidate.endpoint.port)
                return candidate
            }
        }
        return take(remote: named, at: now)
    }
}
