public import SansIO

/// A device's certificates: device first, then account, then authority; each signed by the next.
///
/// The text is kept as it came, since stock peers compare the text found on the DHT with the one shown in TLS.
public struct CertificateChain: Sendable {
    /// The most certificates a chain may hold; Jami uses three.
    public static let maximumCertificates = 8
    /// The longest text that is read, in bytes; three certificates of 4096-bit keys take about 5.7 KB.
    public static let maximumBytes = 65_536

    /// The certificates, never empty.
    public let certificates: [Certificate]
    /// The armoured certificates, concatenated, exactly as they were read.
    public let pem: String

    /// The first certificate: the device's.
    public let device: Certificate

    /// Finds the armoured certificates inside `bytes`, whatever stands around them; without any, reads one bare DER
    /// certificate. This is how storing nodes read a certificate value of the DHT.
    public init(decoding bytes: [UInt8]) throws(WireError) {
        guard bytes.count <= Self.maximumBytes else { throw .overLimit(.certificateChain, limit: Self.maximumBytes) }
        var found: [Certificate] = []
        var text: Range<Int>?
        var cursor = 0
        while let block = try PEM.next(in: bytes, from: &cursor) {
            guard block.label == PEM.certificateLabel else { continue }
            guard found.count < Self.maximumCertificates else {
                throw .overLimit(.certificateChain, limit: Self.maximumCertificates)
            }
            found.append(try Certificate(der: block.content))
            text = (text?.lowerBound ?? block.range.lowerBound)..<Self.lineEnd(in: bytes, from: block.range.upperBound)
        }
        if found.isEmpty { found.append(try Certificate(der: bytes)) }
        device = found[0]
        certificates = found
        pem = text.map { String(decoding: bytes[$0], as: UTF8.self) } ?? device.pem
    }

    /// Reads concatenated PEM.
    public init(pem: String) throws(WireError) { try self.init(decoding: Array(pem.utf8)) }

    /// Chains certificates, device first; their text is written afresh.
    public init(_ certificates: [Certificate]) throws(WireError) {
        guard let device = certificates.first else { throw .truncated(at: 0) }
        guard certificates.count <= Self.maximumCertificates else {
            throw .overLimit(.certificateChain, limit: Self.maximumCertificates)
        }
        self.device = device
        self.certificates = certificates
        pem = certificates.map(\.pem).joined()
    }

    /// The certificate behind the device's: the account's. `nil` in a chain of one.
    public var account: Certificate? { certificates.count > 1 ? certificates[1] : nil }

    /// The last certificate.
    public var authority: Certificate { certificates.last ?? device }

    /// The short id of the account, which is its address; `nil` in a chain of one.
    public var accountID: ShortID? { account?.shortID }

    private static func lineEnd(in bytes: [UInt8], from end: Int) -> Int {
        var end = end
        if end < bytes.count, bytes[end] == UInt8(ascii: "\r") { end += 1 }
        return end < bytes.count && bytes[end] == UInt8(ascii: "\n") ? end + 1 : end
    }
}

extension CertificateChain: Hashable {
    /// Chains are equal when they hold the same certificates in the same order, however their text is laid out.
    public static func == (left: Self, right: Self) -> Bool { left.certificates == right.certificates }

    /// Feeds the device's certificate, which stands for the chain.
    public func hash(into hasher: inout Hasher) { hasher.combine(device) }
}
