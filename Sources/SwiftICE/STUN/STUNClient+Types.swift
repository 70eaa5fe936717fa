public import SansIO

extension STUNClient {
    /// What carries messages to the server.
    public enum Leg: Hashable, Sendable {
        /// UDP: requests are repeated until they are answered.
        case datagram
        /// TCP or TLS: requests are sent once.
        case stream
    }

    /// How requests are protected.
    public enum Credentials: Hashable, Sendable {
        /// Not at all.
        case none
        /// By a password both sides have beforehand (RFC 8489 §9.1).
        case shortTerm(username: String, password: String)
        /// By a password of the server's realm, once the server asks for it (RFC 8489 §9.2).
        case longTerm(username: String, password: String)
    }

    /// The limits and intervals.
    public struct Configuration: Hashable, Sendable {
        /// How requests over UDP are repeated before a round trip is known; its total also bounds a request over TCP.
        public var retransmission = Retransmission()
        /// How many requests may be open; further ones fail at once.
        public var requestLimit = 64
        /// How many times one request is made anew because the server asks for credentials or its nonce is stale.
        public var challengeLimit = 3
        /// How many times in a row a nonce may be stale for one request.
        public var staleNonceLimit = 1
        /// How many times one request is made anew after the server failed (500).
        public var serverErrorRetries = 1
        /// The most bytes of a realm or of a nonce (RFC 8489 §14.9 and §14.10).
        public var challengeLengthLimit = 763
        /// How many password algorithms of an offer are looked at.
        public var algorithmLimit = 8

        /// The usual limits.
        public init() {}
    }

    /// A request as its caller knows it, however many messages it takes.
    public struct RequestID: Hashable, Sendable {
        let number: UInt64
    }

    /// What the client asks of its driver, and tells it.
    public enum Effect: Hashable, Sendable {
        /// Send a message to the server.
        case send([UInt8])
        /// The request succeeded. The response is authentic where the request was protected.
        case succeeded(RequestID, Message)
        /// The request failed.
        case failed(RequestID, Failure)
        /// Bytes that change nothing.
        case ignored(Refusal)
    }

    /// Why a request failed.
    public enum Failure: Error, Hashable, Sendable {
        /// The server did not answer in time.
        case noAnswer
        /// Answers came, but none that was authentic.
        case tampered
        /// The server refuses the credentials.
        case unauthorized
        /// The server offers only algorithms we do not know.
        case unsupportedAlgorithms
        /// The server names another one to ask (300); whoever follows it limits how often.
        case redirected(to: Endpoint)
        /// The server does not understand these attributes (420).
        case notUnderstood([AttributeType])
        /// The response holds attributes that must be understood and are not.
        case incomprehensible([AttributeType])
        /// Any other error of the server; without a code when the response holds none.
        case rejected(ErrorCode?)
        /// Too many requests are open.
        case overloaded
    }

    /// Why bytes change nothing.
    public enum Refusal: Hashable, Sendable {
        /// They are no STUN message.
        case malformed(WireError)
        /// They answer no open request.
        case unknownTransaction
        /// The integrity is missing or wrong.
        case notAuthentic
        /// The nonce promises password algorithms that the response does not list (RFC 8489 §9.2.5).
        case bidDown
    }
}

extension Attribute {
    /// The attributes a response may hold that must be understood, and are.
    static let understoodInResponses: Set<AttributeType> = [
        .mappedAddress, .username, .messageIntegrity, .errorCode, .unknownAttributes, .channelNumber, .lifetime,
        .xorPeerAddress, .data, .realm, .nonce, .xorRelayedAddress, .requestedAddressFamily, .evenPort,
        .requestedTransport, .dontFragment, .messageIntegritySHA256, .passwordAlgorithm, .userHash, .xorMappedAddress,
        .reservationToken, .priority, .useCandidate, .padding, .responsePort, .connectionID, .changeRequest,
    ]
}
