extension IPAddress: LosslessStringConvertible {
    /// Reads dotted IPv4 text (RFC 6943 §3.1.1 strict form) or IPv6 text (RFC 4291 §2.2) without brackets or zone.
    public init?(_ description: String) {
        let text = Array(description.utf8)
        guard text.count <= 45 else { return nil }
        if text.contains(UInt8(ascii: ":")) {
            guard let groups = Self.groups(text[...]) else { return nil }
            self = .v6(high: Self.word(groups[0..<4]), low: Self.word(groups[4..<8]))
        } else {
            guard let word = Self.dotted(text[...]) else { return nil }
            self = .v4(word)
        }
    }

    /// Dotted IPv4 text, or IPv6 text in the canonical form of RFC 5952.
    public var description: String {
        switch self {
        case .v4(let word): Self.dotted(word)
        case .v6(let high, let low): Self.canonical(high, low)
        }
    }

    private static func dotted(_ word: UInt32) -> String {
        "\(word >> 24).\(word >> 16 & 255).\(word >> 8 & 255).\(word & 255)"
    }

    private static func canonical(_ high: UInt64, _ low: UInt64) -> String {
        if high == 0, low >> 32 == 0xFFFF { return "::ffff:" + dotted(UInt32(truncatingIfNeeded: low)) }
        let groups = [high, low].flatMap { half in
            stride(from: 48, through: 0, by: -16).map { UInt16(truncatingIfNeeded: half >> UInt64($0)) }
        }
        let gap = longestZeroRun(groups)
        func join(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        guard let gap else { return join(groups[...]) }
        return join(groups[..<gap.lowerBound]) + "::" + join(groups[gap.upperBound...])
    }

    /// The first longest run of at least two zero groups, which RFC 5952 §4.2 shortens.
    private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int>? {
        var best = 0..<0
        var start = 0
        for index in 0...groups.count {
            if index < groups.count, groups[index] == 0 { continue }
            if index - start > best.count { best = start..<index }
            start = index + 1
        }
        return best.count >= 2 ? best : nil
    }

    private static func dotted(_ text: ArraySlice<UInt8>) -> UInt32? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var word: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0"),
                part.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let octet = UInt8(String(decoding: part, as: UTF8.self))
            else { return nil }
            word = word << 8 | UInt32(octet)
        }
        return word
    }

    /// Eight groups of IPv6 text, with `::` filled in.
    private static func groups(_ text: ArraySlice<UInt8>) -> [UInt16]? {
        let colon = UInt8(ascii: ":")
        var gap: Int?
        for index in text.indices.dropLast() where text[index] == colon && text[index + 1] == colon {
            guard gap == nil else { return nil }
            gap = index
        }
        guard let gap else {
            guard let all = run(text, isLast: true), all.count == 8 else { return nil }
            return all
        }
        guard let left = run(text[..<gap], isLast: false), let right = run(text[(gap + 2)...], isLast: true),
            left.count + right.count <= 7
        else { return nil }
        return left + Array(repeating: 0, count: 8 - left.count - right.count) + right
    }

    /// Colon-separated groups; at the very end of an address, the last of them may be dotted IPv4 text.
    private static func run(_ text: ArraySlice<UInt8>, isLast: Bool) -> [UInt16]? {
        guard !text.isEmpty else { return [] }
        let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        var groups: [UInt16] = []
        for (index, part) in parts.enumerated() {
            if isLast, index == parts.count - 1, part.contains(UInt8(ascii: ".")) {
                guard let word = dotted(part) else { return nil }
                groups += [UInt16(word >> 16), UInt16(truncatingIfNeeded: word)]
            } else {
                guard (1...4).contains(part.count), part.first != UInt8(ascii: "+"), part.first != UInt8(ascii: "-"),
                    let group = UInt16(String(decoding: part, as: UTF8.self), radix: 16)
                else { return nil }
                groups.append(group)
            }
        }
        return groups
    }

    private static func word(_ groups: ArraySlice<UInt16>) -> UInt64 {
        groups.reduce(0) { $0 << 16 | UInt64($1) }
    }
}
