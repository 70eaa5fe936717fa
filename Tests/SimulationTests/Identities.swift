import SansIO
import SecureChannel
import TestVectors

/// Identities made for these tests and kept, so that a seed tells the same story in every run; 2048 bits, since size
/// matters to no rule under test. Valid for ten years around the time of the worlds.
enum Identities {
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

    static let alice = named("alice")
    static let bob = named("bob")
    /// Bob's other device.
    static let bobsTablet = named("bobsTablet")
    /// Somebody nobody expects; not on the network unless shown there.
    static let mallory = named("mallory")
}
