internal import SwiftASN1

/// The fields of RFC 5280 §5.1, read node by node.
struct RevocationListFields {
    let signedBytes: [UInt8]
    let issuer: Name
    let updated: Int64
    let nextUpdate: Int64?
    let serialNumbers: [[UInt8]]
    let number: [UInt8]?
    let hasUnknownCritical: Bool
    /// `nil` for an algorithm that is not RSASSA-PKCS1-v1_5 with SHA-2.
    let signatureHash: SignatureHash?
    let signature: [UInt8]

    init(der: [UInt8]) throws {
        let envelope = try SignedEnvelope<Body>(der: der)
        (signedBytes, signatureHash, signature) = (envelope.signedBytes, envelope.signatureHash, envelope.signature)
        let inner = envelope.body
        (issuer, updated, nextUpdate) = (inner.issuer, inner.updated, inner.nextUpdate)
        (serialNumbers, number) = (inner.serialNumbers, inner.number)
        hasUnknownCritical = inner.hasUnknownCritical
    }

    /// TBSCertList.
    private struct Body: SignedBody {
        var algorithm: ArraySlice<UInt8>
        var issuer: Name
        var updated: Int64
        var nextUpdate: Int64?
        var serialNumbers: [[UInt8]] = []
        var number: [UInt8]?
        var hasUnknownCritical = false

        init(_ nodes: inout ASN1NodeCollection.Iterator) throws {
            var node = try nodes.take()
            if node.identifier == .integer {
                guard try Int(derEncoded: node) == 1 else { throw ASN1Fault.unexpected }
                node = try nodes.take()
            }
            algorithm = node.encodedBytes
            issuer = try Name(nodes.take())
            updated = try unixSeconds(nodes.take())
            while let node = nodes.next() {
                switch node.identifier {
                case .utcTime, .generalizedTime: nextUpdate = try unixSeconds(node)
                case .sequence:
                    serialNumbers = try DER.sequence(of: Entry.self, identifier: .sequence, rootNode: node).map(
                        \.serial)
                default: try readExtensions(node)
                }
            }
        }

        private mutating func readExtensions(_ node: ASN1Node) throws {
            guard node.identifier.tagClass == .contextSpecific, node.identifier.tagNumber == 0,
                case .constructed(let wrapped) = node.content, let list = wrapped.first(where: { _ in true })
            else { throw ASN1Fault.unexpected }
            for entry in try DER.sequence(
                of: CertificateExtensions.Entry.self, identifier: .sequence, rootNode: list)
            {
                switch entry.type {
                case [2, 5, 29, 20]: number = try DER.parse(entry.value).primitive(.integer)
                case [2, 5, 29, 35]: break  // the issuer's key identifier, which its name and signature make needless
                default: hasUnknownCritical = hasUnknownCritical || entry.isCritical
                }
            }
        }
    }

    /// One withdrawn certificate. Its date and reason change nothing, but an entry may be about another issuer's
    /// certificate, and says so by a critical extension (RFC 5280 §5.3.3); lists with such entries are refused.
    private struct Entry: DERParseable {
        let serial: [UInt8]

        init(derEncoded node: ASN1Node) throws {
            serial = try DER.sequence(node, identifier: .sequence) { nodes in
                let serial = try nodes.take().primitive(.integer)
                _ = try unixSeconds(nodes.take())
                guard let list = nodes.next() else { return serial }
                let extensions = try DER.sequence(
                    of: CertificateExtensions.Entry.self, identifier: .sequence, rootNode: list)
                guard !extensions.contains(where: \.isCritical) else { throw ASN1Fault.unexpected }
                return serial
            }
        }
    }
}
