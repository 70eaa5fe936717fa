public import SansIO

/// Which certificates an authority has withdrawn (RFC 5280 §5), as applications publish it on the DHT.
///
/// Reading proves nothing: ``applies(to:issuedBy:at:)`` says whether the list counts for a certificate.
public struct RevocationList: Sendable {
    /// The largest list that is read, in bytes; what a value of the DHT may have.
    public static let maximumBytes = 64 * 1024

    /// The list as it was read.
    public let der: [UInt8]
    /// The issuer's user id, if its name has one.
    public let issuerUserID: String?
    /// When the list was made, in Unix time.
    public let updated: Int64
    /// When the next one is due, in Unix time, if the list says so.
    public let nextUpdate: Int64?
    /// The list's number, in DER, two's complement; later lists of one issuer have others.
    public let number: [UInt8]?
    /// How many certificates are withdrawn.
    public var count: Int { serialNumbers.count }

    private let issuer: [UInt8]
    private let serialNumbers: Set<[UInt8]>
    private let hasUnknownCriticalExtension: Bool
    private let signedBytes: [UInt8]
    private let signatureHash: SignatureHash?
    private let signature: [UInt8]

    /// Reads one DER list that fills `der`.
    public init(der: [UInt8]) throws(WireError) {
        guard der.count <= Self.maximumBytes else { throw .overLimit(.revocationList, limit: Self.maximumBytes) }
        let fields = try replacingErrors(by: WireError.malformed(.revocationList, at: 0)) {
            try RevocationListFields(der: der)
        }
        self.der = der
        (issuer, issuerUserID) = (fields.issuer.der, fields.issuer.userID)
        (updated, nextUpdate) = (fields.updated, fields.nextUpdate)
        number = fields.number
        serialNumbers = Set(fields.serialNumbers)
        hasUnknownCriticalExtension = fields.hasUnknownCritical
        (signedBytes, signatureHash, signature) = (fields.signedBytes, fields.signatureHash, fields.signature)
    }

    /// Reads the data of a value of the DHT: the DER as a MessagePack `bin`, or bare.
    public init(decoding data: [UInt8]) throws(WireError) {
        var reader = MessagePackReader(data.span)
        let isPacked = (try? reader.peek()) == .binary
        try self.init(der: isPacked ? [UInt8](try reader.takeBinary()) : data)
    }

    /// Whether `issuer` signed this list, under its own name, and may.
    public func isSigned(by issuer: Certificate) -> Bool {
        guard issuer.subject == self.issuer, let key = issuer.publicKey, let signatureHash,
            issuer.keyUsage?.contains(.revocationListSigning) ?? true
        else { return false }
        return key.verifies(signature, of: signedBytes, hash: signatureHash)
    }

    /// Whether the list counts for certificates of `issuer` at a Unix time.
    ///
    /// One that is out of date does: what was withdrawn stays so. One with a critical extension that is unknown here does
    /// not (RFC 5280 §5.2).
    public func applies(to certificate: Certificate, issuedBy issuer: Certificate, at unixSeconds: Int64) -> Bool {
        certificate.issuer == self.issuer && updated <= unixSeconds && !hasUnknownCriticalExtension
            && isSigned(by: issuer)
    }

    /// Whether the serial number of `certificate` is listed. Says nothing of the issuer.
    public func lists(_ certificate: Certificate) -> Bool { serialNumbers.contains(certificate.serialNumber) }
}

extension CertificateChain {
    /// The lowest level of the chain that its issuer withdrew by one of `lists`, with 0 for the device; `nil` when none is.
    ///
    /// Verifies a signature for each list that names a certificate of the chain, so it belongs on a worker.
    public func revokedLevel(by lists: [RevocationList], at unixSeconds: Int64) -> Int? {
        certificates.indices.first { level in
            let certificate = certificates[level]
            let issuer = level + 1 < certificates.count ? certificates[level + 1] : certificate
            return lists.contains { list in
                list.lists(certificate) && list.applies(to: certificate, issuedBy: issuer, at: unixSeconds)
            }
        }
    }
}

extension WireError.Field {
    static let revocationList: Self = "revocation list"
}
