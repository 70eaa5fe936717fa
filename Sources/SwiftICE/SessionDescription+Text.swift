public import SansIO

extension WireError.Field {
    static let credentials: Self = "ICE credentials"
    static let sessionText: Self = "session text"
    static let candidateLine: Self = "candidate line"
}

extension SessionDescription {
    /// The most bytes a description may have in any form.
    public static let lengthLimit = 65_536
    /// The most candidate lines read from a description; further ones are passed over.
    public static let lineLimit = 256

    /// Reads the text of a Jami connection request: fragment, password and candidate lines, one a line.
    ///
    /// Empty lines and lines that are no usable candidate are passed over; only bad credentials are an error.
    public init(text: some StringProtocol) throws(WireError) {
        guard text.utf8.count <= Self.lengthLimit else { throw .overLimit(.sessionText, limit: Self.lengthLimit) }
        let lines = String(text).utf8.split { $0 == 10 || $0 == 13 }.map { Substring($0).trimmingSpaces() }
            .filter { !$0.isEmpty }
        guard lines.count >= 2, let credentials = Credentials(fragment: lines[0], password: lines[1]) else {
            throw .malformed(.credentials, at: 0)
        }
        self.init(credentials: credentials, lines: lines.dropFirst(2))
    }

    /// Keeps the usable ones of the candidate lines.
    init(credentials: Credentials, lines: some Sequence<String>) {
        let candidates = lines.prefix(Self.lineLimit).compactMap { Candidate.parse(line: $0).candidate }
        self.init(credentials: credentials, candidates: candidates)
    }

    /// The text of a Jami connection request; every line ends with a newline.
    public var text: String {
        ([credentials.fragment, credentials.password] + candidates.map(\.jamiLine)).map { $0 + "\n" }.joined()
    }
}
