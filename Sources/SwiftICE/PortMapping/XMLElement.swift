public import SansIO

extension WireError.Field {
    static let xmlLength: Self = "XML length"
    static let xmlNesting: Self = "XML nesting"
    static let xmlElements: Self = "XML elements"
    static let xmlMarkup: Self = "XML markup"
    static let xmlTag: Self = "XML tag"
    static let xmlText: Self = "XML text"
}

/// An element of an XML document, read strictly and within limits (XML 1.0).
///
/// Names are without their prefixes, attributes are passed over, text is joined. Documents with a type declaration are
/// refused, as that is where entities that grow come from.
public struct XMLElement: Hashable, Sendable {
    /// The most bytes of a document.
    public static let lengthLimit = 262_144
    /// How deep elements may nest.
    public static let nestingLimit = 32
    /// How many elements a document may have.
    public static let elementLimit = 4_096

    /// The name without its prefix.
    public let name: String
    /// The text directly inside, entities replaced, without space at its ends.
    public internal(set) var text: String
    /// The elements directly inside.
    public internal(set) var children: [XMLElement]

    /// Reads a document.
    public init(document: [UInt8]) throws(WireError) {
        guard document.count <= Self.lengthLimit else { throw .overLimit(.xmlLength, limit: Self.lengthLimit) }
        var reader = XMLReader(document)
        self = try reader.document()
    }

    init(name: String) { (self.name, text, children) = (name, "", []) }

    /// The first element directly inside that has this name.
    public func child(_ name: String) -> XMLElement? { children.first { $0.name == name } }

    /// The text of the first element directly inside that has this name.
    public func value(_ name: String) -> String? { child(name)?.text }

    /// This element and all inside that have this name, in the document's order.
    public func all(_ name: String) -> [XMLElement] {
        (self.name == name ? [self] : []) + children.flatMap { $0.all(name) }
    }
}

/// Walks over a document once.
private struct XMLReader {
    private let bytes: [UInt8]
    private var position = 0
    private var elements = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes }

    mutating func document() throws(WireError) -> XMLElement {
        /// The elements begun and not ended, with the text they have so far.
        var open: [(element: XMLElement, qualified: ArraySlice<UInt8>, text: [UInt8])] = []
        while position < bytes.count {
            guard bytes[position] == UInt8(ascii: "<") else {
                let text = try text()
                if open.isEmpty {
                    guard text.allSatisfy(ASCII.isSpace) else { throw .malformed(.xmlText, at: position) }
                } else {
                    open[open.count - 1].text += text
                }
                continue
            }
            if skip("<?") {
                try skip(past: "?>")
            } else if skip("<!--") {
                try skip(past: "-->")
            } else if skip("<![CDATA[") {
                guard !open.isEmpty else { throw .malformed(.xmlMarkup, at: position) }
                let start = position
                try skip(past: "]]>")
                open[open.count - 1].text += bytes[start..<position - 3]
            } else if skip("</") {
                guard let last = open.popLast() else { throw .malformed(.xmlTag, at: position) }
                let qualified = try name()
                skipSpace()
                guard qualified == last.qualified, skip(">") else { throw .malformed(.xmlTag, at: position) }
                let element = try finish(last.element, last.text)
                guard !open.isEmpty else { return try end(with: element) }
                open[open.count - 1].element.children.append(element)
            } else {
                let (element, qualified, isEmpty) = try startTag()
                if isEmpty {
                    guard !open.isEmpty else { return try end(with: element) }
                    open[open.count - 1].element.children.append(element)
                } else {
                    guard open.count < XMLElement.nestingLimit else {
                        throw .overLimit(.xmlNesting, limit: XMLElement.nestingLimit)
                    }
                    open.append((element, qualified, []))
                }
            }
        }
        throw .truncated(at: position)
    }

    /// Behind the root only comments, instructions and space may follow.
    private mutating func end(with root: XMLElement) throws(WireError) -> XMLElement {
        while position < bytes.count {
            if skip("<!--") {
                try skip(past: "-->")
            } else if skip("<?") {
                try skip(past: "?>")
            } else {
                // Some devices end their documents with NUL bytes.
                guard ASCII.isSpace(bytes[position]) || bytes[position] == 0 else {
                    throw .malformed(.xmlMarkup, at: position)
                }
                position += 1
            }
        }
        return root
    }

    private func finish(_ element: XMLElement, _ text: [UInt8]) throws(WireError) -> XMLElement {
        var element = element
        guard let string = String(validating: text[...].trimmed, as: UTF8.self) else {
            throw .malformed(.xmlText, at: position)
        }
        element.text = string
        return element
    }

    private mutating func startTag() throws(WireError) -> (XMLElement, ArraySlice<UInt8>, isEmpty: Bool) {
        position += 1
        elements += 1
        guard elements <= XMLElement.elementLimit else {
            throw .overLimit(.xmlElements, limit: XMLElement.elementLimit)
        }
        let qualified = try name()
        while true {
            let hadSpace = skipSpace()
            if skip("/>") { return (Self.element(qualified), qualified, true) }
            if skip(">") { return (Self.element(qualified), qualified, false) }
            guard hadSpace else { throw .malformed(.xmlTag, at: position) }
            try skipAttribute()
        }
    }

    private static func element(_ qualified: ArraySlice<UInt8>) -> XMLElement {
        let local = qualified.split(separator: UInt8(ascii: ":")).last ?? qualified
        return XMLElement(name: String(decoding: local, as: UTF8.self))
    }

    private mutating func skipAttribute() throws(WireError) {
        _ = try name()
        skipSpace()
        guard skip("=") else { throw .malformed(.xmlTag, at: position) }
        skipSpace()
        guard position < bytes.count else { throw .truncated(at: position) }
        let quote = bytes[position]
        guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else { throw .malformed(.xmlTag, at: position) }
        guard let close = bytes[(position + 1)...].firstIndex(of: quote) else { throw .truncated(at: position) }
        guard !bytes[position..<close].contains(UInt8(ascii: "<")) else { throw .malformed(.xmlTag, at: position) }
        position = close + 1
    }

    private mutating func name() throws(WireError) -> ArraySlice<UInt8> {
        let start = position
        while position < bytes.count, Self.isNameByte(bytes[position]) { position += 1 }
        guard position > start, bytes[start] != UInt8(ascii: "-"), bytes[start] != UInt8(ascii: "."),
            !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[start])
        else { throw .malformed(.xmlTag, at: start) }
        return bytes[start..<position]
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: ":"), 0x80...:
            true
        default: false
        }
    }

    /// Text up to the next markup, entities replaced.
    private mutating func text() throws(WireError) -> [UInt8] {
        var text: [UInt8] = []
        while position < bytes.count, bytes[position] != UInt8(ascii: "<") {
            if bytes[position] == UInt8(ascii: "&") {
                text += try entity()
            } else {
                text.append(bytes[position])
                position += 1
            }
        }
        return text
    }

    private mutating func entity() throws(WireError) -> [UInt8] {
        let start = position + 1
        guard let end = bytes[start...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else {
            throw .malformed(.xmlText, at: position)
        }
        let name = String(decoding: bytes[start..<end], as: UTF8.self)
        position = end + 1
        switch name {
        case "amp": return [UInt8(ascii: "&")]
        case "lt": return [UInt8(ascii: "<")]
        case "gt": return [UInt8(ascii: ">")]
        case "quot": return [UInt8(ascii: "\"")]
        case "apos": return [UInt8(ascii: "'")]
        default:
            let number =
                name.hasPrefix("#x")
                ? UInt32(name.dropFirst(2), radix: 16)
                : name.hasPrefix("#") ? UInt32(name.dropFirst()) : nil
            guard let number, number > 0, let scalar = Unicode.Scalar(number) else {
                throw .malformed(.xmlText, at: start)
            }
            return Array(String(Character(scalar)).utf8)
        }
    }

    private mutating func skip(_ text: StaticString) -> Bool {
        let expected = text.description.utf8
        guard bytes[position...].starts(with: expected) else { return false }
        position += expected.count
        return true
    }

    private mutating func skip(past text: StaticString) throws(WireError) {
        let expected = Array(text.description.utf8)
        while position + expected.count <= bytes.count {
            if bytes[position..<position + expected.count].elementsEqual(expected) {
                position += expected.count
                return
            }
            position += 1
        }
        throw .truncated(at: bytes.count)
    }

    @discardableResult
    private mutating func skipSpace() -> Bool {
        let start = position
        while position < bytes.count, ASCII.isSpace(bytes[position]) { position += 1 }
        return position > start
    }
}
