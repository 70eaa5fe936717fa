internal import SansIO

/// What a client remembers of a server, so that the next request takes one round trip (RFC 8489 §6.2.1 and §9.2).
///
/// A value of its own, so that allocations come and go while what was learnt of the server stays.
public struct STUNServerMemory: Hashable, Sendable {
    /// How long a measured round trip is good for without any transaction (RFC 8489 §6.2.1).
    public static let roundTripLifetime = Duration.seconds(600)
    /// The shortest first wait that a measured round trip leads to.
    public static let shortestWait = Duration.milliseconds(100)

    /// The realm and the nonce of the last challenge, and what the nonce says.
    struct Challenge: Hashable, Sendable {
        var realm: String
        var nonce: [UInt8]
        /// The list the server offered, repeated in every request; empty when it offered none.
        var algorithms: [Attribute.PasswordAlgorithm]
        /// The algorithm that makes the key.
        var algorithm: IntegrityKey.Algorithm

        /// Whether the user's name is sent as a hash only.
        var hidesUsername: Bool { SecurityFeatures(nonce: nonce).contains(.usernameAnonymity) }
    }

    var challenge: Challenge?
    private var smoothed: Duration?
    private var variation = Duration.zero
    private var measuredAt = Instant(nanoseconds: .min)

    /// Knows nothing yet.
    public init() {}

    /// The smoothed round trip (RFC 6298 §2), or `nil` before the first measurement.
    public var roundTrip: Duration? { smoothed }

    /// Takes a round trip measured on a request that was sent once only (RFC 6298 §3).
    mutating func measured(_ roundTrip: Duration, at now: Instant) {
        let roundTrip = max(roundTrip, .zero)
        if let smoothed {
            let difference = roundTrip > smoothed ? roundTrip - smoothed : smoothed - roundTrip
            variation = (variation * 3 + difference) / 4
            self.smoothed = (smoothed * 7 + roundTrip) / 8
        } else {
            (smoothed, variation) = (roundTrip, roundTrip / 2)
        }
        measuredAt = now
    }

    /// `timing` with the first wait that fits the server, as far as it is known and fresh; never a longer one.
    func retransmission(_ timing: Retransmission, at now: Instant) -> Retransmission {
        guard let smoothed, measuredAt.duration(to: now) < Self.roundTripLifetime else { return timing }
        var timing = timing
        timing.initial = min(max(smoothed + variation * 4, Self.shortestWait), timing.initial)
        return timing
    }
}
