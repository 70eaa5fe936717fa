internal import SansIO
package import SwiftICE

extension ControlLink {
    package enum Effect: Hashable, Sendable {
        /// Open sockets for this session on every usable address.
        case gather(SessionTransport)
        /// Carry these descriptions to the peer: as the request of an outgoing link, as the reply of an incoming one.
        case describe(SessionOffer)
        case network(SessionTransport, NetworkAction)
        /// Start TLS or DTLS over the chosen session.
        case secure(SecureRole, SessionTransport, pair: ICEAgent.SelectedPair)
        /// Bytes that arrived for TLS or DTLS.
        case secureInput([UInt8])
        /// A session found a pair; for people to see.
        case connected(SessionTransport, pair: ICEAgent.SelectedPair)
        /// Close this session's sockets.
        case release(SessionTransport)
        case failed(Failure)
        case ignored(Reason)
    }

    package enum SecureRole: Hashable, Sendable {
        case client
        case server
    }

    package enum Failure: Hashable, Sendable {
        /// Nobody answered the request.
        case noReply
        /// The peer answered, but no path was found.
        case noPath
        /// A path was found, but nothing came of it in time.
        case timedOut
        /// The path in use broke.
        case lost
        /// The path in use is gone, as with an address of ours, and no other one was found.
        case stranded
    }

    package enum Reason: Hashable, Sendable {
        case ice(ICEAgent.Reason)
        /// A datagram that belongs to no session.
        case stray
        /// More early input than is kept.
        case overflow
    }

    /// How long the steps may take.
    package struct Timing: Hashable, Sendable {
        /// From the request to the reply.
        package var reply = Duration.seconds(30)
        /// From the descriptions to the secured channel.
        package var negotiation = Duration.seconds(60)
        /// How much longer than UDP the preferred TCP may take in the first flow, whose peers are slow to begin.
        package var grace = Duration.milliseconds(1500)
        /// The same between two Swiftlets, which begin both at once.
        package var racingGrace = Duration.milliseconds(300)

        /// How long the peer of a link that was idle may show no sign of life when the link is used again.
        package var doubt = Duration.seconds(3)

        /// How long a link over UDP may be without a path until another one is asked for: a round trip of most paths, as
        /// one that the peer's NAT lets through is found within one, and others never are.
        package var repair = Duration.milliseconds(300)

        /// The times that suit stock peers.
        package init() {}

        func grace(in dialect: Dialect) -> Duration {
            switch dialect {
            case .direct: grace
            case .multiplexed: racingGrace
            }
        }
    }

    /// One of the ICE sessions raced.
    struct Session {
        enum State {
            case gathering
            case gathered
            case running
            case connected(ICEAgent.SelectedPair)
            case failed
        }

        let transport: SessionTransport
        var agent: ICEAgent
        var state: State

        init(
            _ transport: SessionTransport, role: Role, configuration: SwiftICE.Configuration, random: RandomSource
        ) {
            self.transport = transport
            agent = ICEAgent(configuration: configuration, role: role, components: 1, random: random)
            state = .gathering
        }

        var pair: ICEAgent.SelectedPair? {
            guard case .connected(let pair) = state else { return nil }
            return pair
        }

        var isGathered: Bool {
            if case .gathering = state { false } else { true }
        }

        var hasFailed: Bool {
            if case .failed = state { true } else { false }
        }
    }
}

extension SessionOffer {
    /// The description of one session.
    subscript(transport: SessionTransport) -> SwiftICE.SessionDescription? {
        switch transport {
        case .tcp: tcp
        case .udp: udp
        }
    }
}
