/// What cryptography and certificates tell of a value. Costs up to a millisecond: made outside of the node's thread.
public struct Examination: Hashable, Sendable {
    /// Whether the value is unsigned, encrypted, or signed by its owner.
    public let isGenuine: Bool
    /// The DER SubjectPublicKeyInfo in a certificate value; `nil` for other values, and where none can be read.
    public let certifiedKey: [UInt8]?

    /// What is known of a value that is neither signed nor a certificate.
    static let needless = Examination(isGenuine: true, certifiedKey: nil)

    /// Joins both findings.
    public init(isGenuine: Bool, certifiedKey: [UInt8]?) {
        self.isGenuine = isGenuine
        self.certifiedKey = certifiedKey
    }

    /// Examines `value`.
    public init(of value: Value, by verifier: any ValueVerifier) {
        isGenuine = value.isGenuine(verifier: verifier)
        certifiedKey =
            value.type == .certificate ? value.body.flatMap { verifier.publicKey(inCertificate: $0.data) } : nil
    }
}

/// Names one examination that the node asked for.
public struct ExaminationID: RawRepresentable, Hashable, Comparable, Sendable {
    /// The number.
    public let rawValue: UInt64

    /// Wraps a number.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Orders examinations by number, which is the order they were asked for.
    public static func < (left: ExaminationID, right: ExaminationID) -> Bool { left.rawValue < right.rawValue }
}
