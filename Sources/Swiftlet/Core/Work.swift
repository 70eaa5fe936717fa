package import SecureChannel
package import SwiftDHT

/// A piece of work with a key, up to a few milliseconds each, done off the event loop.
package enum Work: Sendable {
    /// Sign a body as the account.
    case sign(ValueBody, id: Value.ID)
    /// Sign a body as the device and encrypt it for one recipient.
    case seal(ValueBody, id: Value.ID, recipient: PublicKey)
    /// Decrypt a value sent to the device and check who signed it.
    case open(Value)
    /// Check the signature or certificate of a value that others sent.
    case examine(Value)

    package enum Result: Sendable {
        case value(Value)
        case body(ValueBody)
        case examination(Examination)
        case failed

        fileprivate init(_ value: Value?) { self = value.map { .value($0) } ?? .failed }
    }

    /// Does the work; pure but for the randomness of encryption.
    package func perform(as identity: Identity) -> Result {
        let device = KeySealer(key: identity.deviceKey)
        switch self {
        case .sign(let body, let id):
            return Result(try? Value.signed(body, id: id, by: KeySealer(key: identity.accountKey)))
        case .seal(let body, let id, let recipient):
            let encryptor = KeyEncryptor(key: recipient)
            return Result(try? SealedValue.seal(body, id: id, signer: device, encryptor: encryptor))
        case .open(let value):
            let body = try? SealedValue.open(value, by: device, verifier: KeyVerifier())
            return body.map { .body($0) } ?? .failed
        case .examine(let value): return .examination(Examination(of: value, by: KeyVerifier()))
        }
    }
}

/// Signs and opens values with a private key of ours.
struct KeySealer: ValueSealer {
    let key: PrivateKey

    var publicKey: [UInt8] { key.publicKey.der }

    func sign(_ bytes: [UInt8]) throws -> [UInt8] { try key.sign(bytes) }

    func decrypt(_ cypher: [UInt8]) throws -> [UInt8] { try key.open(cypher) }
}

/// Encrypts values for a peer's key.
struct KeyEncryptor: ValueEncryptor {
    let key: PublicKey

    var recipient: InfoHash { InfoHash(key.shortID) }

    func encrypt(_ bytes: [UInt8]) throws -> [UInt8] { try key.seal(bytes) }
}

/// Checks signatures and certificates of others.
package struct KeyVerifier: ValueVerifier {
    /// Makes a verifier; it keeps nothing.
    package init() {}

    package func isValid(signature: [UInt8], of bytes: [UInt8], by owner: [UInt8]) -> Bool {
        guard let key = try? PublicKey(der: owner) else { return false }
        return key.verifies(signature, of: bytes)
    }

    package func publicKey(inCertificate data: [UInt8]) -> [UInt8]? {
        (try? CertificateChain(decoding: data))?.device.publicKeyDER
    }
}

extension InfoHash {
    /// The DHT key of an account or device: its id, without hashing.
    init(_ id: ShortID) { self = InfoHash(bytes: id.bytes) ?? .zero }
}
