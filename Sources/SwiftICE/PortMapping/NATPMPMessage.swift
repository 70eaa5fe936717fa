public import SansIO

extension WireError.Field {
    static let version: Self = "version"
    static let opcode: Self = "opcode"
}

/// A request of the NAT Port Mapping Protocol (RFC 6886 §3).
public enum NATPMPRequest: Hashable, Sendable {
    /// Asks for the gateway's external address.
    case externalAddress
    /// Asks for a mapping, or with no lifetime for its end.
    case map(PortMapping.Transport, internalPort: UInt16, externalPort: UInt16, seconds: UInt32)

    /// The request as it is sent to port 5351.
    public var bytes: [UInt8] {
        var writer = ByteWriter(capacity: 12)
        switch self {
        case .externalAddress: writer.write(UInt16(0))
        case .map(let transport, let internalPort, let externalPort, let seconds):
            writer.write(UInt16(transport == .udp ? 1 : 2))
            writer.write(UInt16(0))
            writer.write(internalPort)
            writer.write(externalPort)
            writer.write(seconds)
        }
        return writer.bytes
    }
}

/// An answer of the NAT Port Mapping Protocol (RFC 6886 §3).
public struct NATPMPResponse: Hashable, Sendable {
    /// What became of a request.
    public struct Result: RawRepresentable, Hashable, Sendable {
        /// The code.
        public let rawValue: UInt16
        /// Names a code.
        public init(rawValue: UInt16) { self.rawValue = rawValue }

        /// It was done.
        public static let success = Result(rawValue: 0)
        /// The gateway speaks another version.
        public static let unsupportedVersion = Result(rawValue: 1)
        /// The gateway does not want to.
        public static let notAuthorized = Result(rawValue: 2)
        /// The gateway has no address itself.
        public static let networkFailure = Result(rawValue: 3)
        /// The gateway has no room.
        public static let outOfResources = Result(rawValue: 4)
        /// The gateway does not know the request.
        public static let unsupportedOpcode = Result(rawValue: 5)
    }

    /// What is told when it was done.
    public enum Content: Hashable, Sendable {
        /// The gateway's external address, as an IPv4 word.
        case externalAddress(UInt32)
        /// A mapping stands, or with no lifetime stands no more.
        case map(PortMapping.Transport, internalPort: UInt16, externalPort: UInt16, seconds: UInt32)
        /// Nothing, as it was not done; the number of the request.
        case nothing(opcode: UInt8)
    }

    /// What became of the request.
    public let result: Result
    /// The seconds since the gateway began to keep mappings.
    public let epoch: UInt32
    /// What is told.
    public let content: Content

    /// Reads a datagram from port 5351 of the gateway.
    public init(_ bytes: Span<UInt8>) throws(WireError) {
        var reader = ByteReader(bytes)
        guard try reader.read(UInt8.self) == 0 else { throw .malformed(.version, at: 0) }
        let opcode: UInt8 = try reader.read()
        guard opcode >= 128 else { throw .malformed(.opcode, at: 1) }
        result = Result(rawValue: try reader.read())
        epoch = try reader.read()
        guard result == .success else {
            content = .nothing(opcode: opcode - 128)
            return
        }
        switch opcode {
        case 128: content = .externalAddress(try reader.read())
        case 129, 130:
            content = .map(
                opcode == 129 ? .udp : .tcp, internalPort: try reader.read(), externalPort: try reader.read(),
                seconds: try reader.read())
        default: throw .malformed(.opcode, at: 1)
        }
    }

    /// Reads a datagram from an array.
    public init(decoding bytes: [UInt8]) throws(WireError) { try self.init(bytes.span) }

    /// The answer as a gateway sends it, for simulated ones.
    public var bytes: [UInt8] {
        var writer = ByteWriter(capacity: 16)
        func head(_ opcode: UInt8) {
            writer.write(UInt8(0))
            writer.write(128 | opcode)
            writer.write(result.rawValue)
            writer.write(epoch)
        }
        switch content {
        case .externalAddress(let word):
            head(0)
            writer.write(word)
        case .map(let transport, let internalPort, let externalPort, let seconds):
            head(transport == .udp ? 1 : 2)
            writer.write(internalPort)
            writer.write(externalPort)
            writer.write(seconds)
        case .nothing(let opcode): head(opcode & 127)
        }
        return writer.bytes
    }

    /// Joins the parts, for simulated gateways.
    public init(result: Result, epoch: UInt32, content: Content) {
        self.result = result
        self.epoch = epoch
        self.content = content
    }
}
