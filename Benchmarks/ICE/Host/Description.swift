import SansIO
import SwiftICE

/// A session description as hexadecimal digits of `{"ufrag":…, "pwd":…, "candidates":[…]}`.
enum Description {
    static func hex(of description: SessionDescription) -> String {
        let lines = description.candidates.map { "\"\($0.sdpLine.dropping("candidate:"))\"" }
        let json = """
            {"ufrag":"\(description.credentials.fragment)","pwd":"\(description.credentials.password)",\
            "candidates":[\(lines.joined(separator: ","))]}
            """
        return Hexadecimal.encode(Array(json.utf8))
    }

    /// Reads the strings in their order: nothing in them is ever escaped.
    static func read(hex: Substring) -> (description: SessionDescription, named: [Candidate.Line])? {
        guard let bytes = Hexadecimal.decode(hex) else { return nil }
        let strings = String(decoding: bytes, as: UTF8.self).split(separator: "\"", omittingEmptySubsequences: false)
            .enumerated().filter { !$0.offset.isMultiple(of: 2) }.map(\.element)
        func value(of key: String) -> Substring? {
            strings.firstIndex(of: key[...]).flatMap { $0 + 1 < strings.count ? strings[$0 + 1] : nil }
        }
        guard let fragment = value(of: "ufrag"), let password = value(of: "pwd"),
            let credentials = Credentials(fragment: fragment, password: password),
            let first = strings.firstIndex(of: "candidates")
        else { return nil }
        let lines = strings[(first + 1)...].map { Candidate.parse(line: $0) }
        let named = lines.filter { if case .named = $0 { true } else { false } }
        return (SessionDescription(credentials: credentials, candidates: lines.compactMap(\.candidate)), named)
    }
}

extension String {
    fileprivate func dropping(_ prefix: String) -> Substring {
        hasPrefix(prefix) ? dropFirst(prefix.count) : self[...]
    }
}
