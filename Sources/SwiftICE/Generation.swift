internal import SansIO

/// The credentials of both sides between two ICE restarts (RFC 8445 §9).
///
/// Checks of a generation are made and answered with its own credentials, so that a pair of the former one stays in
/// use, and keeps its consent, until the next one has found another.
struct Generation: Sendable {
    /// Counts restarts, from 0.
    let number: Int
    let local: Credentials
    let localKey: IntegrityKey
    private(set) var remote: Credentials?
    private(set) var remoteKey: IntegrityKey?

    /// Draws credentials of our own.
    init(number: Int, random: inout RandomSource) {
        self.number = number
        local = Credentials(random: &random)
        localKey = IntegrityKey(shortTerm: local.password)
    }

    /// Takes the peer's credentials.
    mutating func meet(_ remote: Credentials) {
        self.remote = remote
        remoteKey = IntegrityKey(shortTerm: remote.password)
    }

    /// Whether a check's user name is for us in this generation: our fragment, a colon, anything.
    func isAddressed(by username: String) -> Bool {
        let fragment = username.utf8.prefix { $0 != UInt8(ascii: ":") }
        return fragment.count < username.utf8.count && fragment.elementsEqual(local.fragment.utf8)
    }
}
