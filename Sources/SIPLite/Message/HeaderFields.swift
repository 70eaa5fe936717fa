/// The header fields of a message: one buffer, and for each field in order its name and where its value lies.
///
/// Values that were read stay as they came, folded lines included. Values that are added cannot make lines of their
/// own: line ends and NUL in them become blanks.
public struct HeaderFields: Sendable {
    /// One field's place.
    struct Entry: Sendable {
        var name: HeaderName
        var range: Range<Int>
    }

    /// The bytes the values lie in.
    private(set) var storage: [UInt8]
    private(set) var entries: [Entry] = []

    /// No fields.
    public init() { storage = [] }

    /// No fields yet, their values lying in `storage`.
    init(storage: [UInt8]) { self.storage = storage }

    /// How many fields there are.
    public var count: Int { entries.count }

    /// The names in order, one for each field.
    public var names: [HeaderName] { entries.map(\.name) }

    /// Whether a field of a name is there.
    public func contains(_ name: HeaderName) -> Bool { entries.contains { $0.name == name } }

    /// The values of every field of a name, in order, folded lines joined by one blank.
    public func values(_ name: HeaderName) -> [[UInt8]] {
        entries.compactMap { $0.name == name ? Self.unfold(storage[$0.range]) : nil }
    }

    /// The value of the first field of a name, folded lines joined by one blank.
    public func first(_ name: HeaderName) -> [UInt8]? {
        entries.first { $0.name == name }.map { Self.unfold(storage[$0.range]) }
    }

    /// The value of the first field of a name as text; bytes that are no UTF-8 show as replacement characters.
    public func text(_ name: HeaderName) -> String? {
        first(name).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Adds a field at the end.
    public mutating func append(_ name: HeaderName, _ value: String) { append(name, value.utf8) }

    /// Adds a field at the end.
    public mutating func append(_ name: HeaderName, _ value: some Sequence<UInt8>) {
        let start = storage.count
        storage.append(contentsOf: value.lazy.map(ASCII.withoutLineEnds))
        entries.append(Entry(name: name, range: start..<storage.count))
    }

    /// Adds a copy of every field of a name.
    public mutating func append(_ name: HeaderName, from other: HeaderFields) {
        for value in other.values(name) { append(name, value) }
    }

    /// Removes every field of a name.
    public mutating func remove(_ name: HeaderName) { entries.removeAll { $0.name == name } }

    /// Replaces the first field of a name and removes the others, or adds one at the end.
    public mutating func replace(_ name: HeaderName, with value: String) {
        guard let first = entries.firstIndex(where: { $0.name == name }) else { return append(name, value) }
        append(name, value)
        entries[first] = entries.removeLast()
        let kept = entries[...first]
        entries = kept + entries[(first + 1)...].filter { $0.name != name }
    }

    /// Notes a field whose value lies in the buffer already.
    mutating func note(_ name: HeaderName, at range: Range<Int>) {
        entries.append(Entry(name: name, range: range))
    }

    /// Writes all fields but one, each with its line end.
    func write(into bytes: inout [UInt8], leavingOut name: HeaderName) {
        for entry in entries where entry.name != name {
            bytes.append(contentsOf: entry.name.rawValue.utf8.lazy.map(ASCII.withoutLineEnds))
            bytes.append(contentsOf: [ASCII.colon, ASCII.space])
            bytes.append(contentsOf: storage[entry.range])
            bytes.append(contentsOf: [ASCII.carriageReturn, ASCII.lineFeed])
        }
    }

    /// Joins folded lines: the line end and the blanks around it become one blank.
    private static func unfold(_ raw: ArraySlice<UInt8>) -> [UInt8] {
        guard raw.contains(ASCII.lineFeed) else { return Array(raw) }
        var value: [UInt8] = []
        var index = raw.startIndex
        while index < raw.endIndex {
            guard raw[index] == ASCII.carriageReturn else {
                value.append(raw[index])
                index += 1
                continue
            }
            while let last = value.last, ASCII.isBlank(last) { value.removeLast() }
            while index < raw.endIndex, ASCII.isWhitespace(raw[index]) { index += 1 }
            if !value.isEmpty, index < raw.endIndex { value.append(ASCII.space) }
        }
        return value
    }
}

extension HeaderFields: Hashable {
    /// Whether both have the same fields in the same order with the same values.
    public static func == (left: HeaderFields, right: HeaderFields) -> Bool {
        left.entries.count == right.entries.count
            && zip(left.entries, right.entries).allSatisfy {
                $0.name == $1.name && left.storage[$0.range] == right.storage[$1.range]
            }
    }

    /// Hashes names and values in order.
    public func hash(into hasher: inout Hasher) {
        for entry in entries {
            hasher.combine(entry.name)
            hasher.combine(storage[entry.range])
        }
    }
}
