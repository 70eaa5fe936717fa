public import SecureChannel
internal import TestVectors

/// Identities made for tests and fuzzing and kept, so that a seed, or an input of a fuzzer, tells the same story in every
/// run; 2048 bits, since size matters to no rule under test. Valid for ten years around the time of simulated worlds.
public enum Identities {
    private struct Record: Decodable {
        let authority: String
        let account: String
        let device: String
        let chain: String

        func identity() throws -> Identity {
            try Identity(
                authorityKey: PrivateKey(pem: authority), accountKey: PrivateKey(pem: account),
                deviceKey: PrivateKey(pem: device), chain: CertificateChain(pem: chain))
        }
    }

    private static let all: [String: Identity] = {
        let records = try? TestVectors.json("simulation/identities.json", as: [String: Record].self)
        return records?.compactMapValues { try? $0.identity() } ?? [:]
    }()

    private static func named(_ name: String) -> Identity {
        guard let identity = all[name] else { preconditionFailure("no identity of \(name)") }
        return identity
    }

    /// Who calls as a rule.
    public static let alice = named("alice")
    /// Who is called.
    public static let bob = named("bob")
    /// Bob's other device.
    public static let bobsTablet = named("bobsTablet")
    /// Somebody nobody expects, with certificates that are fine; not on the network unless shown there.
    public static let mallory = named("mallory")
}
