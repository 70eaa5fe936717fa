internal import SwiftASN1

/// The fields of RFC 5280 §4.1, read node by node.
///
/// swift-certificates writes our certificates; reading them here keeps the signed bytes and the key exactly as they
/// came, and tolerates what stock peers emit.
struct CertificateFields {
    let signedBytes: [UInt8]
    let serialNumber: [UInt8]
    let issuer: Name
    let notBefore: Int64
    let notAfter: Int64
    let subject: Name
    let publicKey: [UInt8]
    let extensions: CertificateExtensions
    /// `nil` for an algorithm that is not RSASSA-PKCS1-v1_5 with SHA-2.
    let signatureHash: SignatureHash?
    let signature: [UInt8]

    init(der: [UInt8]) throws {
        let envelope = try SignedEnvelope<Body>(der: der)
        (signedBytes, signatureHash, signature) = (envelope.signedBytes, envelope.signatureHash, envelope.signature)
        let inner = envelope.body
        (serialNumber, issuer, subject) = (inner.serialNumber, inner.issuer, inner.subject)
        (notBefore, notAfter) = (inner.notBefore, inner.notAfter)
        (publicKey, extensions) = (inner.publicKey, inner.extensions)
    }

    /// TBSCertificate.
    private struct Body: SignedBody {
        var serialNumber: [UInt8] = []
        var algorithm: ArraySlice<UInt8>
        var issuer: Name
        var notBefore: Int64 = 0
        var notAfter: Int64 = 0
        var subject: Name
        var publicKey: [UInt8]
        var extensions = CertificateExtensions()

        init(_ nodes: inout ASN1NodeCollection.Iterator) throws {
            let version = try DER.optionalExplicitlyTagged(&nodes, tagNumber: 0, tagClass: .contextSpecific) {
                try Int(derEncoded: $0)
            }
            serialNumber = try nodes.take().primitive(.integer)
            algorithm = try nodes.take().encodedBytes
            issuer = try Name(nodes.take())
            (notBefore, notAfter) = try DER.sequence(nodes.take(), identifier: .sequence) { times in
                (try unixSeconds(times.take()), try unixSeconds(times.take()))
            }
            subject = try Name(nodes.take())
            publicKey = Array(try nodes.take().encodedBytes)
            while let node = nodes.next() {
                guard node.identifier.tagClass == .contextSpecific else { throw ASN1Fault.unexpected }
                // [1] and [2] are the unique ids nobody uses.
                guard node.identifier.tagNumber == 3 else { continue }
                guard version == 2 else { throw ASN1Fault.contradiction }
                guard case .constructed(let wrapped) = node.content, let list = wrapped.first(where: { _ in true })
                else { throw ASN1Fault.missing }
                extensions = try CertificateExtensions(list)
            }
        }
    }
}

/// A distinguished name: its bytes, and the two attributes that matter.
struct Name {
    let der: [UInt8]
    private(set) var commonName: String?
    private(set) var userID: String?

    init(_ node: ASN1Node) throws {
        der = Array(node.encodedBytes)
        let attributes = try DER.sequence(of: Attribute.self, identifier: .sequence, rootNode: node)
        commonName = attributes.first { $0.type == Self.commonNameType }?.text
        userID = attributes.first { $0.type == Self.userIDType }?.text
    }

    static let commonNameType: ASN1ObjectIdentifier = [2, 5, 4, 3]
    static let userIDType: ASN1ObjectIdentifier = [0, 9, 2342, 19_200_300, 100, 1, 1]

    /// The first attribute of one RelativeDistinguishedName; several in one set are not seen in practice.
    private struct Attribute: DERParseable {
        let type: ASN1ObjectIdentifier
        let text: String?

        init(derEncoded node: ASN1Node) throws {
            guard node.identifier == .set, case .constructed(let members) = node.content,
                let first = members.first(where: { _ in true })
            else { throw ASN1Fault.unexpected }
            (type, text) = try DER.sequence(first, identifier: .sequence) { nodes in
                let type = try ASN1ObjectIdentifier(derEncoded: &nodes)
                let value = try nodes.take()
                guard case .primitive(let bytes) = value.content,
                    value.identifier == .utf8String || value.identifier == .printableString
                else { return (type, nil) }
                return (type, String(validating: bytes, as: UTF8.self))
            }
        }
    }
}

/// What a certificate says about its use.
struct CertificateExtensions {
    var isAuthority = false
    var pathLength: Int?
    var subjectKeyIdentifier: [UInt8]?
    var keyUsage: Certificate.KeyUsage?
    var hasUnknownCritical = false

    init() {}

    init(_ list: ASN1Node) throws {
        let entries = try DER.sequence(of: Entry.self, identifier: .sequence, rootNode: list)
        for entry in entries { try note(entry) }
    }

    private mutating func note(_ entry: Entry) throws {
        switch entry.type {
        case [2, 5, 29, 19]:
            (isAuthority, pathLength) = try DER.sequence(DER.parse(entry.value), identifier: .sequence) { nodes in
                let authority = try DER.decodeDefault(&nodes, defaultValue: false)
                let length = try nodes.next().map { try Int(derEncoded: $0) }
                return (authority, length)
            }
        case [2, 5, 29, 15]:
            let bits = try ASN1BitString(derEncoded: DER.parse(entry.value)).bytes
            keyUsage = Certificate.KeyUsage(rawValue: bits.first ?? 0)
        case [2, 5, 29, 14]:
            subjectKeyIdentifier = Array(try ASN1OctetString(derEncoded: DER.parse(entry.value)).bytes)
        default:
            if entry.isCritical { hasUnknownCritical = true }
        }
    }

    struct Entry: DERParseable {
        let type: ASN1ObjectIdentifier
        let isCritical: Bool
        let value: ArraySlice<UInt8>

        init(derEncoded node: ASN1Node) throws {
            (type, isCritical, value) = try DER.sequence(node, identifier: .sequence) { nodes in
                let type = try ASN1ObjectIdentifier(derEncoded: &nodes)
                let isCritical = try DER.decodeDefault(&nodes, defaultValue: false)
                return (type, isCritical, try ASN1OctetString(derEncoded: &nodes).bytes)
            }
        }
    }
}

/// Why a certificate's structure was refused; callers of ``Certificate`` see one `WireError` for all of them.
enum ASN1Fault: Error {
    case missing
    case unexpected
    case contradiction
}

extension ASN1NodeCollection.Iterator {
    mutating func take() throws -> ASN1Node {
        guard let node = next() else { throw ASN1Fault.missing }
        return node
    }
}

extension ASN1Node {
    func primitive(_ identifier: ASN1Identifier) throws -> [UInt8] {
        guard self.identifier == identifier, case .primitive(let bytes) = content, !bytes.isEmpty else {
            throw ASN1Fault.unexpected
        }
        return Array(bytes)
    }
}

/// Reads a UTCTime or GeneralizedTime as Unix seconds.
func unixSeconds(_ node: ASN1Node) throws -> Int64 {
    if node.identifier == .utcTime {
        let time = try UTCTime(derEncoded: node)
        return unixSeconds(
            year: time.year, month: time.month, day: time.day,
            second: time.hours * 3600 + time.minutes * 60 + time.seconds)
    }
    let time = try GeneralizedTime(derEncoded: node)
    return unixSeconds(
        year: time.year, month: time.month, day: time.day,
        second: time.hours * 3600 + time.minutes * 60 + time.seconds)
}

/// Counts days in the proleptic Gregorian calendar, with years that begin in March so that leap days end them.
private func unixSeconds(year: Int, month: Int, day: Int, second: Int) -> Int64 {
    let year = month <= 2 ? year - 1 : year
    let era = (year >= 0 ? year : year - 399) / 400
    let yearOfEra = year - era * 400
    let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    let daysBeforeUnixEpoch = 719_468
    return Int64(era * 146_097 + dayOfEra - daysBeforeUnixEpoch) * 86_400 + Int64(second)
}
