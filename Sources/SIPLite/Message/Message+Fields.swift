public import SansIO

/// The fields without which no message can be handled, understood.
public struct Essentials: Hashable, Sendable {
    /// The hops, the last sender first.
    public let vias: [Via]
    /// Who sent the request.
    public let from: NameAddress
    /// Whom the request is for.
    public let to: NameAddress
    /// The `Call-ID` as written.
    public let callID: String
    /// The number and method.
    public let cSeq: CSeq
    /// How many hops the request may still take; 70 where it does not say.
    public let maxForwards: UInt8

    /// The hop the message came over.
    public var via: Via { vias[0] }
}

extension Message {
    /// Understands the fields that must be there.
    public func essentials(limits: MessageLimits = MessageLimits()) throws(WireError) -> Essentials {
        let vias = try list(.via, as: .via, limits: limits) { (bytes) throws(WireError) in
            try Via(bytes: bytes, limits: limits)
        }
        guard !vias.isEmpty else { throw .malformed(.via, at: 0) }
        let callID = fields.first(.callID) ?? []
        let parts = callID.split(separator: ASCII.at, maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(ASCII.isWord) }) else { throw .malformed(.callID, at: 0) }
        return Essentials(
            vias: vias, from: try address(.from, limits: limits), to: try address(.to, limits: limits),
            callID: String(decoding: callID, as: UTF8.self), cSeq: try CSeq(bytes: (fields.first(.cSeq) ?? [])[...]),
            maxForwards: try maxForwards())
    }

    /// The values of `Contact`; a lone `*` is none.
    public func contacts(limits: MessageLimits = MessageLimits()) throws(WireError) -> [NameAddress] {
        if fields.values(.contact) == [[UInt8(ascii: "*")]] { return [] }
        return try addresses(.contact, limits: limits)
    }

    /// The values of `Route` or `Record-Route`.
    public func addresses(
        _ name: HeaderName, limits: MessageLimits = MessageLimits()
    ) throws(WireError) -> [NameAddress] {
        try list(name, as: .address, limits: limits) { (bytes) throws(WireError) in
            try NameAddress(bytes: bytes, limits: limits)
        }
    }

    /// The type of the body, if one is given.
    public func contentType() throws(WireError) -> ContentType? {
        guard let text = fields.text(.contentType) else { return nil }
        return try ContentType(text)
    }

    /// The methods `Allow` lists.
    public var allow: [Method] { words(.allow).map(Method.init(rawValue:)) }

    /// The comma-separated words of all fields of a name; what is no list of words counts as none.
    public func words(_ name: HeaderName) -> [String] {
        fields.values(name).flatMap { value in
            value.split(separator: ASCII.comma).map { String(decoding: $0.trimmingBlanks, as: UTF8.self) }
        }.filter { !$0.isEmpty }
    }

    private func address(_ name: HeaderName, limits: MessageLimits) throws(WireError) -> NameAddress {
        guard let value = fields.first(name) else { throw .malformed(.address, at: 0) }
        return try NameAddress(bytes: value[...], limits: limits)
    }

    private func maxForwards() throws(WireError) -> UInt8 {
        guard let value = fields.first(.maxForwards) else { return 70 }
        var scanner = ValueScanner(value[...], as: .maxForwards)
        let number = try scanner.number(UInt8.self)
        try scanner.expectEnd()
        return number
    }

    private func list<T>(
        _ name: HeaderName, as field: WireError.Field, limits: MessageLimits,
        _ parse: (ArraySlice<UInt8>) throws(WireError) -> T
    ) throws(WireError) -> [T] {
        var values: [T] = []
        for value in fields.values(name) {
            for element in try ValueScanner.elements(of: value, as: field) {
                guard values.count < limits.values else { throw .overLimit(field, limit: limits.values) }
                values.append(try parse(element))
            }
        }
        return values
    }
}

extension WireError.Field {
    static let callID: Self = "Call-ID"
    static let maxForwards: Self = "Max-Forwards"
}
