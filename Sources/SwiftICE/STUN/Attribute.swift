public import SansIO

/// One attribute of a STUN message with its meaning; MESSAGE-INTEGRITY and FINGERPRINT are ``Message``'s own matter.
///
/// What has no case, or does not have the form its case needs, is an ``unknown(_:_:)`` and written back verbatim.
public enum Attribute: Hashable, Sendable {
    /// An algorithm that makes long-term keys, with its parameters (RFC 8489 §18.5).
    public struct PasswordAlgorithm: Hashable, Sendable {
        /// 1 for MD5, 2 for SHA-256.
        public var number: UInt16
        /// The parameters, empty for both known algorithms.
        public var parameters: [UInt8]

        /// Names an algorithm.
        public init(number: UInt16, parameters: [UInt8] = []) {
            self.number = number
            self.parameters = parameters
        }

        /// MD5, the one every server knows.
        public static let md5 = PasswordAlgorithm(number: 1)
        /// SHA-256.
        public static let sha256 = PasswordAlgorithm(number: 2)
    }

    /// An address in clear: MAPPED-ADDRESS, ALTERNATE-SERVER, RESPONSE-ORIGIN or OTHER-ADDRESS.
    case address(AttributeType, Endpoint)
    /// A masked address: XOR-MAPPED-ADDRESS, XOR-PEER-ADDRESS or XOR-RELAYED-ADDRESS.
    case xorAddress(AttributeType, Endpoint)
    /// USERNAME.
    case username(String)
    /// REALM.
    case realm(String)
    /// NONCE, echoed byte for byte.
    case nonce([UInt8])
    /// SOFTWARE.
    case software(String)
    /// ERROR-CODE; the reason may hold anything, even NUL bytes.
    case errorCode(ErrorCode, reason: String)
    /// UNKNOWN-ATTRIBUTES.
    case unknownAttributes([AttributeType])
    /// CHANNEL-NUMBER.
    case channelNumber(UInt16)
    /// LIFETIME in seconds.
    case lifetime(seconds: UInt32)
    /// DATA.
    case data([UInt8])
    /// REQUESTED-ADDRESS-FAMILY.
    case requestedAddressFamily(IPAddress.Family)
    /// ADDITIONAL-ADDRESS-FAMILY.
    case additionalAddressFamily(IPAddress.Family)
    /// REQUESTED-TRANSPORT: 17 for UDP, 6 for TCP.
    case requestedTransport(UInt8)
    /// DONT-FRAGMENT.
    case dontFragment
    /// PASSWORD-ALGORITHM.
    case passwordAlgorithm(PasswordAlgorithm)
    /// PASSWORD-ALGORITHMS.
    case passwordAlgorithms([PasswordAlgorithm])
    /// USERHASH, 32 bytes.
    case userHash([UInt8])
    /// PRIORITY.
    case priority(UInt32)
    /// USE-CANDIDATE.
    case useCandidate
    /// CHANGE-REQUEST.
    case changeRequest(address: Bool, port: Bool)
    /// RESPONSE-PORT.
    case responsePort(UInt16)
    /// CONNECTION-ID.
    case connectionID(UInt32)
    /// RESERVATION-TOKEN.
    case reservationToken(UInt64)
    /// ICE-CONTROLLED with the tie-breaker.
    case iceControlled(UInt64)
    /// ICE-CONTROLLING with the tie-breaker.
    case iceControlling(UInt64)
    /// Anything else, verbatim.
    case unknown(AttributeType, [UInt8])

    /// The number of the attribute.
    public var type: AttributeType {
        switch self {
        case .address(let type, _), .xorAddress(let type, _), .unknown(let type, _): type
        case .username: .username
        case .realm: .realm
        case .nonce: .nonce
        case .software: .software
        case .errorCode: .errorCode
        case .unknownAttributes: .unknownAttributes
        case .channelNumber: .channelNumber
        case .lifetime: .lifetime
        case .data: .data
        case .requestedAddressFamily: .requestedAddressFamily
        case .additionalAddressFamily: .additionalAddressFamily
        case .requestedTransport: .requestedTransport
        case .dontFragment: .dontFragment
        case .passwordAlgorithm: .passwordAlgorithm
        case .passwordAlgorithms: .passwordAlgorithms
        case .userHash: .userHash
        case .priority: .priority
        case .useCandidate: .useCandidate
        case .changeRequest: .changeRequest
        case .responsePort: .responsePort
        case .connectionID: .connectionID
        case .reservationToken: .reservationToken
        case .iceControlled: .iceControlled
        case .iceControlling: .iceControlling
        }
    }
}
