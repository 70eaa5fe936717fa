import SansIO
import SecureChannel

/// Identities made once per run; 2048 bits, since size matters to no rule under test.
enum Identities {
    /// When the certificates begin: a day before the worlds do.
    private static let notBefore: Int64 = 1_800_000_000 - 86_400

    private static let keys = try! (0..<6).map { _ in try PrivateKey.generate(bits: 2048) }

    static let alice = identity(account: 1, device: 2)
    static let bob = identity(account: 3, device: 4)
    /// Bob's other device.
    static let bobsTablet = identity(account: 3, device: 5)
    /// Somebody nobody expects; not on the network unless shown there.
    static let mallory = identity(account: 5, device: 0, authority: 1)

    private static func identity(account: Int, device: Int, authority: Int = 0) -> Identity {
        try! Identity.create(
            authorityKey: keys[authority], accountKey: keys[account], deviceKey: keys[device], notBefore: notBefore,
            notAfter: notBefore + 10 * 365 * 86_400)
    }
}
