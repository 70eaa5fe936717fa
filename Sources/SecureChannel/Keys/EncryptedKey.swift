internal import Crypto
internal import CryptoExtras
internal import FoundationEssentials
internal import SansIO
internal import SwiftASN1

/// A private key under a passphrase: EncryptedPrivateKeyInfo of PKCS#8 with PBES2 (RFC 5958 §3, RFC 8018 §6.2).
///
/// Written as OpenDHT does, with PBKDF2-HMAC-SHA256 and AES-256-CBC; read with any SHA-2, SHA-1 and AES key size.
struct EncryptedKey {
    /// Rounds of PBKDF2 that are written: a good part of a second.
    static let writtenRounds = 600_000
    /// The most rounds that are read, so that a file cannot keep a program busy for hours.
    static let roundLimit = 10_000_000
    /// The longest salt that is read, in bytes.
    static let saltLimit = 1024
    private static let saltLength = 16
    private static let ivLength = 16

    private let salt: [UInt8]
    private let rounds: Int
    private let hash: KDF.Insecure.PBKDF2.HashFunction
    private let keyLength: Int
    private let iv: [UInt8]
    private let cypher: [UInt8]

    /// Reads the DER structure, whatever the passphrase.
    init(der: [UInt8]) throws {
        let (salt, rounds, hash, keyLength, iv, cypher) = try DER.sequence(DER.parse(der), identifier: .sequence) {
            nodes in
            let (derivation, scheme) = try DER.sequence(nodes.take(), identifier: .sequence) { nodes in
                guard try ASN1ObjectIdentifier(derEncoded: nodes.take()) == .pbes2 else { throw ASN1Fault.unexpected }
                return try DER.sequence(nodes.take(), identifier: .sequence) { (try $0.take(), try $0.take()) }
            }
            let (salt, rounds, hash) = try Self.derivation(derivation)
            let (keyLength, iv) = try Self.scheme(scheme)
            let cypher = try ASN1OctetString(derEncoded: nodes.take())
            return (salt, rounds, hash, keyLength, iv, Array(cypher.bytes))
        }
        guard (1...Self.roundLimit).contains(rounds), salt.count <= Self.saltLimit, iv.count == Self.ivLength else {
            throw ASN1Fault.unexpected
        }
        (self.salt, self.rounds, self.hash, self.keyLength) = (salt, rounds, hash, keyLength)
        (self.iv, self.cypher) = (iv, cypher)
    }

    /// Opens the key; a wrong passphrase and a damaged file end in the same error, or in bytes that are no key.
    func open(_ passphrase: String) throws -> [UInt8] {
        let key = try Self.key(passphrase, salt: salt, hash: hash, length: keyLength, rounds: rounds)
        return [UInt8](try AES._CBC.decrypt(cypher, using: key, iv: AES._CBC.IV(ivBytes: iv)))
    }

    /// Seals a DER PrivateKeyInfo; returns the DER structure.
    static func seal(_ privateKey: [UInt8], passphrase: String) throws -> [UInt8] {
        var random = RandomSource.system
        let (salt, iv) = (random.bytes(saltLength), random.bytes(ivLength))
        let key = try key(passphrase, salt: salt, hash: .sha256, length: 32, rounds: writtenRounds)
        let cypher = [UInt8](try AES._CBC.encrypt(privateKey, using: key, iv: AES._CBC.IV(ivBytes: iv)))
        var serializer = DER.Serializer()
        try serializer.appendConstructedNode(identifier: .sequence) { file in
            try file.appendConstructedNode(identifier: .sequence) { algorithm in
                try algorithm.serialize(ASN1ObjectIdentifier.pbes2)
                try algorithm.appendConstructedNode(identifier: .sequence) { parameters in
                    try parameters.appendConstructedNode(identifier: .sequence) { derivation in
                        try derivation.serialize(ASN1ObjectIdentifier.pbkdf2)
                        try derivation.appendConstructedNode(identifier: .sequence) { parameters in
                            try parameters.serialize(ASN1OctetString(contentBytes: salt[...]))
                            try parameters.serialize(writtenRounds)
                            try parameters.appendConstructedNode(identifier: .sequence) { function in
                                try function.serialize(ASN1ObjectIdentifier.hmacSHA256)
                                try function.serialize(ASN1Null())
                            }
                        }
                    }
                    try parameters.appendConstructedNode(identifier: .sequence) { scheme in
                        try scheme.serialize(ASN1ObjectIdentifier.aes256)
                        try scheme.serialize(ASN1OctetString(contentBytes: iv[...]))
                    }
                }
            }
            try file.serialize(ASN1OctetString(contentBytes: cypher[...]))
        }
        return serializer.serializedBytes
    }

    private static func key(
        _ passphrase: String, salt: [UInt8], hash: KDF.Insecure.PBKDF2.HashFunction, length: Int, rounds: Int
    ) throws -> SymmetricKey {
        try KDF.Insecure.PBKDF2.deriveKey(
            from: Array(passphrase.utf8), salt: salt, using: hash, outputByteCount: length,
            unsafeUncheckedRounds: rounds)
    }

    /// PBKDF2-params; the length of the key follows from the cypher.
    private static func derivation(
        _ node: ASN1Node
    ) throws -> (salt: [UInt8], rounds: Int, hash: KDF.Insecure.PBKDF2.HashFunction) {
        try DER.sequence(node, identifier: .sequence) { nodes in
            guard try ASN1ObjectIdentifier(derEncoded: nodes.take()) == .pbkdf2 else { throw ASN1Fault.unexpected }
            return try DER.sequence(nodes.take(), identifier: .sequence) { nodes in
                let salt = Array(try ASN1OctetString(derEncoded: nodes.take()).bytes)
                let rounds = try Int(derEncoded: nodes.take())
                var hash = KDF.Insecure.PBKDF2.HashFunction.insecureSHA1
                while let node = nodes.next() {
                    if node.identifier == .sequence { hash = try Self.hash(node) }
                }
                return (salt, rounds, hash)
            }
        }
    }

    private static func hash(_ node: ASN1Node) throws -> KDF.Insecure.PBKDF2.HashFunction {
        let name = try DER.sequence(node, identifier: .sequence) { nodes in
            let name = try ASN1ObjectIdentifier(derEncoded: nodes.take())
            _ = nodes.next()
            return name
        }
        return switch name {
        case [1, 2, 840, 113_549, 2, 7]: .insecureSHA1
        case .hmacSHA256: .sha256
        case [1, 2, 840, 113_549, 2, 10]: .sha384
        case [1, 2, 840, 113_549, 2, 11]: .sha512
        default: throw ASN1Fault.unexpected
        }
    }

    private static func scheme(_ node: ASN1Node) throws -> (keyLength: Int, iv: [UInt8]) {
        try DER.sequence(node, identifier: .sequence) { nodes in
            let length =
                switch try ASN1ObjectIdentifier(derEncoded: nodes.take()) {
                case [2, 16, 840, 1, 101, 3, 4, 1, 2]: 16
                case [2, 16, 840, 1, 101, 3, 4, 1, 22]: 24
                case .aes256: 32
                default: throw ASN1Fault.unexpected
                }
            return (length, Array(try ASN1OctetString(derEncoded: nodes.take()).bytes))
        }
    }
}

extension ASN1ObjectIdentifier {
    fileprivate static let pbes2: Self = [1, 2, 840, 113_549, 1, 5, 13]
    fileprivate static let pbkdf2: Self = [1, 2, 840, 113_549, 1, 5, 12]
    fileprivate static let hmacSHA256: Self = [1, 2, 840, 113_549, 2, 9]
    fileprivate static let aes256: Self = [2, 16, 840, 1, 101, 3, 4, 1, 42]
}
