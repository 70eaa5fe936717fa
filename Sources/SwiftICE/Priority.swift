public import SansIO

/// The arithmetic of candidate and pair priorities (RFC 8445 §5.1.2 and §6.1.2.3, RFC 6544 §4.2).
public enum Priority {
    /// The preference of a kind, 0 to 126.
    public static func typePreference(_ kind: Candidate.Kind) -> UInt32 {
        switch kind {
        case .host: 126
        case .peerReflexive: 110
        case .serverReflexive: 100
        case .relayed: 0
        }
    }

    /// The priority of a candidate; `component` is 1 to 256.
    public static func candidate(_ kind: Candidate.Kind, localPreference: UInt16, component: Int) -> UInt32 {
        typePreference(kind) << 24 + UInt32(localPreference) << 8 + UInt32(256 - min(max(component, 1), 256))
    }

    /// The local preference of a TCP candidate as of RFC 6544; Jami counts down as for UDP instead.
    ///
    /// - Parameter other: the preference among candidates of the same role, at most 8191.
    public static func localPreference(_ role: Candidate.TCPRole, _ kind: Candidate.Kind, other: UInt16) -> UInt16 {
        let direction: UInt16 =
            switch (kind, role) {
            case (.host, .active), (.relayed, .active): 6
            case (.host, .passive), (.relayed, .passive): 4
            case (.host, .simultaneousOpen), (.relayed, .simultaneousOpen): 2
            case (_, .simultaneousOpen): 6
            case (_, .active): 4
            case (_, .passive): 2
            }
        return direction << 13 | min(other, 8191)
    }

    /// The local preference inside a candidate's priority.
    static func localPreference(of priority: UInt32) -> UInt16 { UInt16(truncatingIfNeeded: priority >> 8) }

    /// The priority of a pair, the same at both agents; saturates for candidate priorities beyond 31 bits.
    public static func pair(controlling: UInt32, controlled: UInt32) -> UInt64 {
        let (low, high) = (UInt64(min(controlling, controlled)), UInt64(max(controlling, controlled)))
        let tail = 2 * high + (controlling > controlled ? 1 : 0)
        let (sum, overflow) = (low << 32).addingReportingOverflow(tail)
        return overflow ? .max : sum
    }

    /// Orders addresses so that no family waits for the other (RFC 8421 §4): IPv6 and IPv4 in turn, each in the order
    /// given, link-local IPv6 addresses last. Add bases in this order, as earlier ones get higher priorities.
    public static func interleaved(_ addresses: [IPAddress]) -> [IPAddress] {
        let linkLocal = addresses.filter { $0.family == .v6 && $0.isLinkLocal }
        let v6 = addresses.filter { $0.family == .v6 && !$0.isLinkLocal }
        let v4 = addresses.filter { $0.family == .v4 }
        var ordered: [IPAddress] = []
        for index in 0..<max(v6.count, v4.count) {
            if index < v6.count { ordered.append(v6[index]) }
            if index < v4.count { ordered.append(v4[index]) }
        }
        return ordered + linkLocal
    }
}
