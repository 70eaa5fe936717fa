extension SessionDescription {
    /// The description as bytes, in the order of RFC 8866 §5 with CRLF line ends.
    ///
    /// Control characters inside values become blanks, so that no value can make a line of its own.
    public func encoded() -> [UInt8] {
        var writer = DescriptionWriter()
        writer.line("v", "0")
        let address = origin.address
        writer.line(
            "o", "\(origin.username) \(origin.sessionID) \(origin.version) IN \(address.family) \(address.text)")
        writer.line("s", name)
        writer.lines(others, of: "iuep")
        writer.connection(connection)
        writer.lines(others, of: "b")
        writer.line("t", timing)
        writer.lines(others, of: "rzk")
        writer.attributes(attributes)
        for medium in media { writer.media(medium) }
        return writer.bytes
    }

    /// The description with candidates left out until it has at most `size` octets; `nil` if no such choice exists.
    ///
    /// The candidate of the lowest priority goes first, the later of two equals, and every component of every medium
    /// keeps at least one.
    public func trimmed(toFit size: Int) -> SessionDescription? {
        var trimmed = self
        var excess = encoded().count - size
        while excess > 0 {
            guard let (medium, index) = trimmed.leastUsefulCandidate else { return nil }
            let value = trimmed.media[medium].attributes.all.remove(at: index).value ?? ""
            excess -= "a=candidate:\r\n".utf8.count + value.utf8.count
        }
        return trimmed
    }

    private var leastUsefulCandidate: (medium: Int, attribute: Int)? {
        var worst: (medium: Int, attribute: Int, priority: UInt64)?
        for (medium, description) in media.enumerated() {
            var counts: [Substring: Int] = [:]
            let candidates: [(index: Int, component: Substring, priority: UInt64)] =
                description.attributes.all.enumerated().compactMap { index, attribute in
                    guard attribute.name == "candidate", let value = attribute.value else { return nil }
                    let words = value.split(separator: " ")
                    guard words.count >= 4 else { return (index, "", 0) }
                    return (index, words[1], UInt64(words[3]) ?? 0)
                }
            for candidate in candidates { counts[candidate.component, default: 0] += 1 }
            for candidate in candidates where candidate.component.isEmpty || counts[candidate.component, default: 0] > 1
            {
                if let known = worst, candidate.priority > known.priority { continue }
                worst = (medium, candidate.index, candidate.priority)
            }
        }
        return worst.map { ($0.medium, $0.attribute) }
    }
}

/// Writes lines.
private struct DescriptionWriter {
    var bytes: [UInt8] = []

    mutating func line(_ type: Character, _ value: String) {
        bytes.append(contentsOf: String(type).utf8)
        bytes.append(UInt8(ascii: "="))
        bytes.append(contentsOf: value.utf8.lazy.map(ASCII.withoutLineEnds))
        bytes.append(contentsOf: [ASCII.carriageReturn, ASCII.lineFeed])
    }

    mutating func lines(_ lines: [SessionDescription.Line], of types: String) {
        for type in types {
            for line in lines where line.type == type { self.line(type, line.value) }
        }
    }

    mutating func connection(_ connection: SessionDescription.Connection?) {
        guard let connection else { return }
        line("c", "IN \(connection.family) \(connection.text)")
    }

    mutating func attributes(_ attributes: AttributeList) {
        for attribute in attributes.all {
            line("a", attribute.value.map { "\(attribute.name):\($0)" } ?? attribute.name)
        }
    }

    mutating func media(_ medium: MediaDescription) {
        let port = medium.portCount == 1 ? "\(medium.port)" : "\(medium.port)/\(medium.portCount)"
        line("m", ([medium.kind.rawValue, port, medium.profile.rawValue] + medium.formats).joined(separator: " "))
        lines(medium.others, of: "i")
        connection(medium.connection)
        lines(medium.others, of: "bk")
        attributes(medium.attributes)
    }
}
