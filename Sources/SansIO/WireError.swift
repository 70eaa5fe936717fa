/// Why bytes from outside were refused.
///
/// Every parser of the package throws this one type, so that layers compose without translation.
/// Offsets count bytes from the start of the parsed unit.
public enum WireError: Error, Hashable, Sendable {
    /// The bytes end before the structure does.
    case truncated(at: Int)
    /// A field holds what it must not.
    case malformed(Field, at: Int)
    /// A field is well-formed, but larger than the named limit allows.
    case overLimit(Field, limit: Int)

    /// The name of a field of some format; each format adds its own.
    public struct Field: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
        /// The field's name as its specification spells it.
        public let rawValue: String

        /// Names a field.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// Names a field.
        public init(stringLiteral value: String) { rawValue = value }

        /// The field's name.
        public var description: String { rawValue }
    }
}

extension WireError: CustomStringConvertible {
    /// One line naming the field and the place.
    public var description: String {
        switch self {
        case .truncated(let offset): "truncated at byte \(offset)"
        case .malformed(let field, let offset): "malformed \(field) at byte \(offset)"
        case .overLimit(let field, let limit): "\(field) over the limit of \(limit)"
        }
    }
}
