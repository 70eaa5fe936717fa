internal import SwiftASN1

/// What is inside of a ``SignedEnvelope``.
protocol SignedBody {
    /// The signature's algorithm as the body names it.
    var algorithm: ArraySlice<UInt8> { get }

    init(_ nodes: inout ASN1NodeCollection.Iterator) throws
}

/// A structure that somebody signed, as certificates (RFC 5280 §4.1.1) and lists of revoked ones (§5.1.1) are.
struct SignedEnvelope<Body: SignedBody> {
    let body: Body
    let signedBytes: [UInt8]
    /// `nil` for an algorithm that is not RSASSA-PKCS1-v1_5 with SHA-2.
    let signatureHash: SignatureHash?
    let signature: [UInt8]

    init(der: [UInt8]) throws {
        self = try DER.sequence(DER.parse(der), identifier: .sequence) { try SignedEnvelope(&$0) }
    }

    private init(_ nodes: inout ASN1NodeCollection.Iterator) throws {
        let inner = try nodes.take()
        signedBytes = Array(inner.encodedBytes)
        let algorithm = try nodes.take()
        let signatureBits = try ASN1BitString(derEncoded: nodes.take())
        guard signatureBits.paddingBits == 0 else { throw ASN1Fault.unexpected }
        signature = Array(signatureBits.bytes)
        signatureHash = try Self.hash(of: algorithm)
        body = try DER.sequence(inner, identifier: .sequence) { try Body(&$0) }
        // RFC 5280 §4.1.1.2, §5.1.1.2: both places must name the same algorithm.
        guard body.algorithm == algorithm.encodedBytes else { throw ASN1Fault.contradiction }
    }

    private static func hash(of algorithm: ASN1Node) throws -> SignatureHash? {
        let oid = try DER.sequence(algorithm, identifier: .sequence) { nodes in
            let oid = try ASN1ObjectIdentifier(derEncoded: &nodes)
            _ = nodes.next()
            return oid
        }
        return switch oid {
        case [1, 2, 840, 113_549, 1, 1, 11]: .sha256
        case [1, 2, 840, 113_549, 1, 1, 12]: .sha384
        case [1, 2, 840, 113_549, 1, 1, 13]: .sha512
        default: nil
        }
    }
}
