internal import SwiftICE

/// How two devices come together: the two flows Jami has had, as differences of one flow.
///
/// Everything that differs between them is here; what is common is in ``ControlLink`` and the node.
package enum Dialect: Hashable, Sendable, CaseIterable {
    /// The flow of 2019 to 2021: a call request with a TCP and a UDP session, whose reply lies at the same key; SIP
    /// runs directly on TLS or DTLS.
    case direct
    /// The flow of the connection manager, since 2020: a connection request with a TCP session, answered at the
    /// requester's own key; channels are multiplexed over TLS and stay open after a call.
    ///
    /// Two Swiftlets add a UDP session, on which SIP runs directly on DTLS.
    case multiplexed

    /// The ICE role in which the requester begins.
    var requesterRole: Role {
        switch self {
        case .direct: .controlling
        case .multiplexed: .controlled
        }
    }

    /// The ICE role in which the answering side begins a session.
    ///
    /// In the first flow both sides of the TCP session are controlling, which ICE settles.
    func answererRole(over transport: SessionTransport) -> Role {
        switch (self, transport) {
        case (.direct, .udp): .controlled
        case (.direct, .tcp), (.multiplexed, _): .controlling
        }
    }

    /// Whether channels are multiplexed over a secured session, or SIP runs on it directly.
    func multiplexes(_ transport: SessionTransport) -> Bool { self == .multiplexed && transport == .tcp }

    /// Whether a link is kept for later calls, in both directions, when its call is over.
    var keepsLinks: Bool { self == .multiplexed }
}
