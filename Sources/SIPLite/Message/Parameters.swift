internal import SansIO

/// The `;name=value` part of URIs and header values, in order and verbatim.
public struct Parameters: Hashable, Sendable {
    /// One parameter.
    public struct Parameter: Hashable, Sendable {
        /// The name as written; compare it without case.
        public var name: String
        /// The value as written, quotes included; `nil` for a flag.
        public var value: String?

        /// Makes a parameter.
        public init(_ name: String, _ value: String? = nil) {
            self.name = name
            self.value = value
        }
    }

    /// All parameters.
    public var all: [Parameter]

    /// Lists parameters.
    public init(_ all: [Parameter] = []) { self.all = all }

    /// The value of a parameter; empty for a flag, `nil` when it is not there. Setting `nil` removes it.
    public subscript(name: String) -> String? {
        get { all.first { ASCII.isEqual($0.name.utf8, name.utf8) }.map { $0.value ?? "" } }
        set {
            let index = all.firstIndex { ASCII.isEqual($0.name.utf8, name.utf8) }
            switch (index, newValue) {
            case (let index?, let value?): all[index].value = value
            case (let index?, nil): all.remove(at: index)
            case (nil, let value?): all.append(Parameter(name, value))
            case (nil, nil): break
            }
        }
    }

    /// Whether a parameter is there, with or without a value.
    public func contains(_ name: String) -> Bool { self[name] != nil }

    /// Reads `*(SEMI name [EQUAL value])` up to the end of a header value.
    init(from scanner: inout ValueScanner, limit: Int) throws(WireError) {
        all = []
        while scanner.skipSeparator(ASCII.semicolon) {
            guard all.count < limit else { throw .overLimit(.parameters, limit: limit) }
            let name = try scanner.token()
            guard scanner.skipSeparator(ASCII.equals) else {
                all.append(Parameter(name))
                continue
            }
            let value =
                scanner.next == ASCII.quote ? try scanner.quoted() : try scanner.take(while: Self.isValueCharacter)
            all.append(Parameter(name, String(decoding: value, as: UTF8.self)))
        }
        try scanner.expectEnd()
    }

    /// A token, or a host, which may be an IPv6 address with or without brackets.
    private static func isValueCharacter(_ byte: UInt8) -> Bool {
        ASCII.isToken(byte) || byte == ASCII.colon || byte == UInt8(ascii: "[") || byte == UInt8(ascii: "]")
            || byte >= 0x80
    }

    /// The parameters as they stand in a value.
    var text: String {
        all.map { parameter in parameter.value.map { ";\(parameter.name)=\($0)" } ?? ";\(parameter.name)" }.joined()
    }
}

extension WireError.Field {
    static let parameters: Self = "parameters"
}
