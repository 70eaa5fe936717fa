internal import SansIO

extension Attribute {
    /// Gives the bytes of an attribute their meaning; never fails, as ``unknown(_:_:)`` takes what has none.
    init(_ type: AttributeType, value: Span<UInt8>, transaction: TransactionID) {
        let bytes = [UInt8](value)
        self =
            Self.text(type, bytes) ?? Self.address(type, value, transaction) ?? Self.number(type, value)
            ?? Self.list(type, value) ?? .unknown(type, bytes)
    }

    private static func text(_ type: AttributeType, _ bytes: [UInt8]) -> Attribute? {
        switch type {
        case .nonce: return .nonce(bytes)
        case .data: return .data(bytes)
        case .userHash: return bytes.count == 32 ? .userHash(bytes) : nil
        case .username, .realm, .software:
            guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
            return type == .username ? .username(text) : type == .realm ? .realm(text) : .software(text)
        case .errorCode:
            guard bytes.count >= 4, bytes[0] == 0, bytes[1] == 0, (3...6).contains(bytes[2]), bytes[3] < 100,
                let reason = String(validating: bytes[4...], as: UTF8.self)
            else { return nil }
            return .errorCode(ErrorCode(rawValue: UInt16(bytes[2]) * 100 + UInt16(bytes[3])), reason: reason)
        default: return nil
        }
    }

    private static func address(_ type: AttributeType, _ value: Span<UInt8>, _ transaction: TransactionID)
        -> Attribute?
    {
        switch type {
        case .mappedAddress, .alternateServer, .responseOrigin, .otherAddress:
            AddressCodec.read(value, mask: nil).map { .address(type, $0) }
        case .xorMappedAddress, .xorPeerAddress, .xorRelayedAddress:
            AddressCodec.read(value, mask: transaction).map { .xorAddress(type, $0) }
        default: nil
        }
    }

    private static func number(_ type: AttributeType, _ value: Span<UInt8>) -> Attribute? {
        var reader = ByteReader(value)
        switch (type, value.count) {
        case (.dontFragment, 0): return .dontFragment
        case (.useCandidate, 0): return .useCandidate
        case (.priority, 4): return (try? reader.read()).map { .priority($0) }
        case (.lifetime, 4): return (try? reader.read()).map { .lifetime(seconds: $0) }
        case (.connectionID, 4): return (try? reader.read()).map { .connectionID($0) }
        case (.iceControlled, 8): return (try? reader.read()).map { .iceControlled($0) }
        case (.iceControlling, 8): return (try? reader.read()).map { .iceControlling($0) }
        case (.reservationToken, 8): return (try? reader.read()).map { .reservationToken($0) }
        case (_, 4): return (try? reader.read(UInt32.self)).flatMap { flags(type, $0) }
        default: return nil
        }
    }

    /// Attributes of four bytes that hold less; `nil` when bits outside the meaning are set.
    private static func flags(_ type: AttributeType, _ word: UInt32) -> Attribute? {
        let byte = UInt8(word >> 24)
        switch type {
        case .channelNumber where word & 0xFFFF == 0: return .channelNumber(UInt16(word >> 16))
        case .responsePort where word & 0xFFFF == 0: return .responsePort(UInt16(word >> 16))
        case .requestedTransport where word & 0xFF_FFFF == 0: return .requestedTransport(byte)
        case .changeRequest where word & ~6 == 0: return .changeRequest(address: word & 4 != 0, port: word & 2 != 0)
        case .requestedAddressFamily where word & 0xFF_FFFF == 0:
            return AddressCodec.family(byte).map { .requestedAddressFamily($0) }
        case .additionalAddressFamily where word & 0xFF_FFFF == 0:
            return AddressCodec.family(byte).map { .additionalAddressFamily($0) }
        default: return nil
        }
    }

    private static func list(_ type: AttributeType, _ value: Span<UInt8>) -> Attribute? {
        switch type {
        case .unknownAttributes:
            var (reader, types) = (ByteReader(value), [AttributeType]())
            while let number: UInt16 = try? reader.read() { types.append(AttributeType(rawValue: number)) }
            return reader.isAtEnd ? .unknownAttributes(types) : nil
        case .passwordAlgorithm:
            return algorithms(value).flatMap { $0.count == 1 ? .passwordAlgorithm($0[0]) : nil }
        case .passwordAlgorithms: return algorithms(value).map { .passwordAlgorithms($0) }
        default: return nil
        }
    }

    private static func algorithms(_ value: Span<UInt8>) -> [PasswordAlgorithm]? {
        var (reader, list) = (ByteReader(value), [PasswordAlgorithm]())
        while !reader.isAtEnd {
            guard let number: UInt16 = try? reader.read(), let count: UInt16 = try? reader.read(),
                let parameters = try? reader.readBytes(Int(count))
            else { return nil }
            let padding = (try? reader.readBytes(min((4 - Int(count) % 4) % 4, reader.remaining))) ?? []
            guard padding.allSatisfy({ $0 == 0 }) else { return nil }
            list.append(PasswordAlgorithm(number: number, parameters: parameters))
        }
        return list
    }

    /// The bytes of the value, without padding after it.
    func value(for transaction: TransactionID) -> [UInt8] {
        var writer = ByteWriter(capacity: 20)
        switch self {
        case .address(_, let endpoint): AddressCodec.write(endpoint, mask: nil, to: &writer)
        case .xorAddress(_, let endpoint): AddressCodec.write(endpoint, mask: transaction, to: &writer)
        case .username(let text), .realm(let text), .software(let text): writer.write(text.utf8)
        case .nonce(let bytes), .data(let bytes), .userHash(let bytes), .unknown(_, let bytes): return bytes
        case .errorCode(let code, let reason):
            writer.write(UInt32(code.rawValue / 100) << 8 | UInt32(code.rawValue % 100))
            writer.write(reason.utf8)
        case .unknownAttributes(let types): for type in types { writer.write(type.rawValue) }
        case .channelNumber(let number), .responsePort(let number): writer.write(UInt32(number) << 16)
        case .lifetime(let number), .priority(let number), .connectionID(let number): writer.write(number)
        case .requestedAddressFamily(let family), .additionalAddressFamily(let family):
            writer.write(UInt32(AddressCodec.number(family)) << 24)
        case .requestedTransport(let number): writer.write(UInt32(number) << 24)
        case .dontFragment, .useCandidate: break
        case .passwordAlgorithm(let algorithm): algorithm.write(to: &writer, padded: false)
        case .passwordAlgorithms(let list):
            for (index, algorithm) in list.enumerated() {
                algorithm.write(to: &writer, padded: index < list.count - 1)
            }
        case .changeRequest(let address, let port): writer.write(UInt32((address ? 4 : 0) | (port ? 2 : 0)))
        case .reservationToken(let number), .iceControlled(let number), .iceControlling(let number):
            writer.write(number)
        }
        return writer.bytes
    }
}

extension Attribute.PasswordAlgorithm {
    fileprivate func write(to writer: inout ByteWriter, padded: Bool) {
        let parameters = parameters.prefix(Int(UInt16.max))
        writer.write(number)
        writer.write(UInt16(parameters.count))
        writer.write(parameters)
        if padded { writer.write(repeating: 0, count: (4 - parameters.count % 4) % 4) }
    }
}

/// Addresses inside attributes: a zero byte, the family, the port, the address (RFC 8489 §14.1 and §14.2).
enum AddressCodec {
    static func family(_ number: UInt8) -> IPAddress.Family? {
        switch number {
        case 1: .v4
        case 2: .v6
        default: nil
        }
    }

    static func number(_ family: IPAddress.Family) -> UInt8 { family == .v4 ? 1 : 2 }

    /// Reads an address, unmasked when a transaction is given.
    static func read(_ value: Span<UInt8>, mask: TransactionID?) -> Endpoint? {
        var reader = ByteReader(value)
        guard let head: UInt16 = try? reader.read(), head >> 8 == 0, let port: UInt16 = try? reader.read(),
            let family = family(UInt8(truncatingIfNeeded: head)), reader.remaining == (family == .v4 ? 4 : 16),
            let address = IPAddress(bytes: reader.takeRest())
        else { return nil }
        guard let mask else { return Endpoint(address, port: port) }
        return Endpoint(masked(address, mask), port: port ^ UInt16(Message.cookie >> 16))
    }

    /// Writes an address, masked when a transaction is given.
    static func write(_ endpoint: Endpoint, mask: TransactionID?, to writer: inout ByteWriter) {
        writer.write(UInt16(number(endpoint.address.family)))
        writer.write(endpoint.port ^ (mask == nil ? 0 : UInt16(Message.cookie >> 16)))
        writer.write((mask.map { masked(endpoint.address, $0) } ?? endpoint.address).bytes)
    }

    private static func masked(_ address: IPAddress, _ transaction: TransactionID) -> IPAddress {
        switch address {
        case .v4(let word): .v4(word ^ Message.cookie)
        case .v6(let high, let low):
            .v6(high: high ^ (UInt64(Message.cookie) << 32 | UInt64(transaction.high)), low: low ^ transaction.low)
        }
    }
}
