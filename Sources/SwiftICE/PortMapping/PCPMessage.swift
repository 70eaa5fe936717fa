public import SansIO

extension WireError.Field {
    static let pcpProtocol: Self = "protocol"
    static let pcpLength: Self = "PCP length"
}

/// The words of one mapping in a request or an answer of the Port Control Protocol (RFC 6887 §11.1).
public struct PCPMap: Hashable, Sendable {
    /// Names the mapping's owner; the same in refreshes and at the end.
    public struct Nonce: Hashable, Sendable {
        /// The first 32 bits.
        public let high: UInt32
        /// The last 64 bits.
        public let low: UInt64

        /// Joins the words.
        public init(high: UInt32, low: UInt64) {
            self.high = high
            self.low = low
        }

        /// Draws a fresh one.
        public init(random: inout RandomSource) {
            high = UInt32(truncatingIfNeeded: random.next())
            low = random.next()
        }
    }

    /// Names the mapping's owner.
    public let nonce: Nonce
    /// What is mapped.
    public let transport: PortMapping.Transport
    /// Our own port.
    public let internalPort: UInt16
    /// The gateway's address and port: wished in a request, given in an answer; IPv4 without its IPv6 form.
    public let external: Endpoint

    /// Joins the parts.
    public init(nonce: Nonce, transport: PortMapping.Transport, internalPort: UInt16, external: Endpoint) {
        self.nonce = nonce
        self.transport = transport
        self.internalPort = internalPort
        self.external = external
    }

    @_lifetime(reader: copy reader)
    fileprivate init(_ reader: inout ByteReader) throws(WireError) {
        nonce = Nonce(high: try reader.read(), low: try reader.read())
        let offset = reader.offset
        guard let transport = PortMapping.Transport(rawValue: try reader.read()) else {
            throw .malformed(.pcpProtocol, at: offset)
        }
        self.transport = transport
        try reader.skip(3)
        internalPort = try reader.read()
        let port: UInt16 = try reader.read()
        let address = IPAddress.v6(high: try reader.read(), low: try reader.read())
        external = Endpoint(address.unmapped, port: port)
    }

    fileprivate func write(to writer: inout ByteWriter) {
        writer.write(nonce.high)
        writer.write(nonce.low)
        writer.write(transport.rawValue)
        writer.write(repeating: 0, count: 3)
        writer.write(internalPort)
        writer.write(external.port)
        writer.write(external.address.mapped)
    }
}

/// A request of the Port Control Protocol (RFC 6887 §7.1).
public enum PCPRequest: Hashable, Sendable {
    /// Asks whether the gateway is there, and for its clock.
    case announce
    /// Asks for a mapping, or with no lifetime for its end.
    case map(PCPMap, seconds: UInt32)

    /// The request as it is sent to port 5351 from `client`.
    public func bytes(from client: IPAddress) -> [UInt8] {
        var writer = ByteWriter(capacity: 60)
        let (opcode, seconds): (UInt8, UInt32) =
            switch self {
            case .announce: (0, 0)
            case .map(_, let seconds): (1, seconds)
            }
        writer.write(PCPResponse.version)
        writer.write(opcode)
        writer.write(UInt16(0))
        writer.write(seconds)
        writer.write(client.mapped)
        if case .map(let map, _) = self { map.write(to: &writer) }
        return writer.bytes
    }
}

/// An answer of the Port Control Protocol (RFC 6887 §7.2).
public struct PCPResponse: Hashable, Sendable {
    static let version: UInt8 = 2

    /// What became of a request.
    public struct Result: RawRepresentable, Hashable, Sendable {
        /// The code.
        public let rawValue: UInt8
        /// Names a code.
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// It was done.
        public static let success = Result(rawValue: 0)
        /// The gateway speaks another version.
        public static let unsupportedVersion = Result(rawValue: 1)
        /// The gateway does not want to.
        public static let notAuthorized = Result(rawValue: 2)
        /// The gateway has no room.
        public static let noResources = Result(rawValue: 8)
        /// The wished external port cannot be had.
        public static let cannotProvideExternal = Result(rawValue: 11)
        /// The packet came from another address than it says: there is a NAT before the gateway.
        public static let addressMismatch = Result(rawValue: 12)
    }

    /// What is told.
    public enum Content: Hashable, Sendable {
        /// The gateway is there.
        case announce
        /// About a mapping; meaningful as a mapping only when it was done.
        case map(PCPMap)
        /// About a request that is none of ours.
        case other(opcode: UInt8)
    }

    /// What became of the request.
    public let result: Result
    /// How long the mapping stands, or how long to wait after an error.
    public let seconds: UInt32
    /// The seconds since the gateway began to keep mappings.
    public let epoch: UInt32
    /// What is told.
    public let content: Content

    /// Reads a datagram from port 5351 of the gateway; options behind the words of a mapping are passed over.
    public init(_ bytes: Span<UInt8>) throws(WireError) {
        guard bytes.count <= 1100 else { throw .overLimit(.pcpLength, limit: 1100) }
        var reader = ByteReader(bytes)
        guard try reader.read(UInt8.self) == Self.version else { throw .malformed(.version, at: 0) }
        let opcode: UInt8 = try reader.read()
        guard opcode >= 128 else { throw .malformed(.opcode, at: 1) }
        try reader.skip(1)
        result = Result(rawValue: try reader.read())
        seconds = try reader.read()
        epoch = try reader.read()
        try reader.skip(12)
        switch opcode {
        case 128: content = .announce
        case 129: content = .map(try PCPMap(&reader))
        default: content = .other(opcode: opcode - 128)
        }
    }

    /// Reads a datagram from an array.
    public init(decoding bytes: [UInt8]) throws(WireError) { try self.init(bytes.span) }

    /// Joins the parts, for simulated gateways.
    public init(result: Result, seconds: UInt32, epoch: UInt32, content: Content) {
        self.result = result
        self.seconds = seconds
        self.epoch = epoch
        self.content = content
    }

    /// The answer as a gateway sends it, for simulated ones.
    public var bytes: [UInt8] {
        var writer = ByteWriter(capacity: 60)
        let opcode: UInt8 =
            switch content {
            case .announce: 0
            case .map: 1
            case .other(let opcode): opcode & 127
            }
        writer.write(Self.version)
        writer.write(128 | opcode)
        writer.write(UInt8(0))
        writer.write(result.rawValue)
        writer.write(seconds)
        writer.write(epoch)
        writer.write(repeating: 0, count: 12)
        if case .map(let map) = content { map.write(to: &writer) }
        return writer.bytes
    }
}

extension IPAddress {
    /// The 16 bytes of the address, IPv4 in its IPv6 form (RFC 6887 §5).
    fileprivate var mapped: [UInt8] {
        switch self {
        case .v4(let word): IPAddress.v6(high: 0, low: 0xFFFF_0000_0000 | UInt64(word)).bytes
        case .v6: bytes
        }
    }
}
