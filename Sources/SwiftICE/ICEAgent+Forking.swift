public import SansIO

extension ICEAgent {
    /// The same session for another peer: bases, candidates and credentials stay, everything random that is still to be
    /// drawn becomes its own.
    ///
    /// An offer may be answered by several devices (RFC 8445 §4); each needs a session of its own, made of the one
    /// session that was described to all, before its start.
    public func meetingAnother(random: RandomSource) -> ICEAgent {
        var other = self
        other.random = random
        return other
    }
}
