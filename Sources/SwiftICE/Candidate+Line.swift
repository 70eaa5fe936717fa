internal import SansIO

extension Candidate {
    /// What a candidate line says.
    public enum Line: Hashable, Sendable {
        /// A candidate.
        case candidate(Candidate)
        /// A candidate of a host given by name, to be resolved before use; never part of a session by itself.
        case named(host: String, Candidate)
        /// A line to pass over without harm to the session.
        case skipped(Skip)

        /// The candidate, when it can be used as it is.
        public var candidate: Candidate? {
            guard case .candidate(let candidate) = self else { return nil }
            return candidate
        }
    }

    /// Why a line was passed over.
    public enum Skip: Hashable, Sendable {
        /// Nothing on the line.
        case empty
        /// The fields do not follow the grammar.
        case malformed
        /// Neither UDP nor TCP.
        case unknownTransport
        /// A type of candidate this agent does not know.
        case unknownType
        /// TCP without a known `tcptype`.
        case unknownTCPType
        /// Neither an address nor a name worth resolving.
        case unusableAddress
    }

    /// The most characters a line may have.
    public static let lineLengthLimit = 1024

    /// Reads the SDP form (RFC 8839 §5.1), with or without `a=` and `candidate:`, or the bare form of Jami.
    ///
    /// Extensions are passed over; `tcptype` is found wherever it stands among them.
    public static func parse(line: some StringProtocol) -> Line {
        guard line.utf8.count <= lineLengthLimit else { return .skipped(.malformed) }
        var text = Substring(line.trimmingSpaces())
        for prefix in ["a=", "candidate:"] where text.hasPrefix(prefix) { text = text.dropFirst(prefix.count) }
        let fields = text.split(separator: " ", omittingEmptySubsequences: true)
        guard !fields.isEmpty else { return .skipped(.empty) }
        guard fields.count >= 8, fields.count.isMultiple(of: 2), fields[6] == "typ",
            let foundation = Foundation(fields[0]), let component = decimal(fields[1]), (1...256).contains(component),
            let priority = decimal(fields[3]).flatMap({ UInt32(exactly: $0) }), priority > 0,
            let port = decimal(fields[5]).flatMap({ UInt16(exactly: $0) })
        else { return .skipped(.malformed) }
        let extensions = Extensions(fields.dropFirst(8))
        guard let transport = Transport(token: fields[2]) else { return .skipped(.unknownTransport) }
        guard let kind = Kind(token: fields[7]) else { return .skipped(.unknownType) }
        guard let transport = transport.with(tcpType: extensions.tcpType) else { return .skipped(.unknownTCPType) }
        let candidate = { (address: IPAddress) in
            Candidate(
                foundation: foundation, component: Int(component), transport: transport, priority: priority,
                endpoint: Endpoint(address, port: port), kind: kind, related: extensions.related)
        }
        if let address = IPAddress(String(fields[4])) { return .candidate(candidate(address)) }
        guard isHostName(fields[4]) else { return .skipped(.unusableAddress) }
        return .named(host: String(fields[4]), candidate(.unspecified(.v4)))
    }

    /// The SDP value with its `candidate:` prefix, related address included.
    public var sdpLine: String {
        var line = "candidate:" + fields(transport: transport.isTCP ? "TCP" : "UDP")
        if let related { line += " raddr \(related.address) rport \(related.port)" }
        return line + tcpSuffix
    }

    /// The bare form with a name in place of the address, for peers that look names up on the link they share with us.
    public func line(named host: String) -> String {
        fields(transport: transport.isTCP ? "TCP" : "UDP", address: host) + tcpSuffix
    }

    /// The bare form Jami writes and reads: no prefix and, as its reader would lose the `tcptype`, no related address.
    public var jamiLine: String { fields(transport: transport.isTCP ? "TCP" : "UDP") + tcpSuffix }

    private func fields(transport: String, address: String? = nil) -> String {
        let address = address ?? "\(endpoint.address)"
        return "\(foundation) \(component) \(transport) \(priority) \(address) \(endpoint.port) typ \(kind.token)"
    }

    private var tcpSuffix: String {
        guard case .tcp(let role) = transport else { return "" }
        return " tcptype \(role.token)"
    }

    private static func decimal(_ text: Substring) -> UInt64? {
        guard (1...10).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return UInt64(text)
    }

    /// Whether a text may be a name: letters, digits, hyphens and dots, and at least one letter in the last label.
    private static func isHostName(_ text: Substring) -> Bool {
        let letters = { (byte: UInt8) in (0x61...0x7A).contains(byte | 0x20) }
        guard text.utf8.count <= 253, text.utf8.contains(UInt8(ascii: ".")),
            text.utf8.allSatisfy({ letters($0) || (48...57).contains($0) || $0 == 0x2D || $0 == 0x2E })
        else { return false }
        return text.split(separator: ".").last.map { $0.utf8.contains(where: letters) } ?? false
    }

    /// What the name and value pairs behind the type say.
    private struct Extensions {
        var tcpType: Substring?
        var related: Endpoint?

        init(_ fields: ArraySlice<Substring>) {
            let fields = Array(fields)
            var (address, port): (IPAddress?, UInt16?)
            for index in stride(from: 0, to: fields.count - 1, by: 2) {
                switch fields[index] {
                case "raddr": address = IPAddress(String(fields[index + 1]))
                case "rport": port = Candidate.decimal(fields[index + 1]).flatMap { UInt16(exactly: $0) }
                case "tcptype": tcpType = tcpType ?? fields[index + 1]
                default: break
                }
            }
            if let address, let port { related = Endpoint(address, port: port) }
        }
    }
}

extension Candidate.Kind {
    fileprivate init?(token: Substring) {
        switch token {
        case "host": self = .host
        case "srflx": self = .serverReflexive
        case "prflx": self = .peerReflexive
        case "relay": self = .relayed
        default: return nil
        }
    }

    /// The word of RFC 8839.
    var token: String {
        switch self {
        case .host: "host"
        case .serverReflexive: "srflx"
        case .peerReflexive: "prflx"
        case .relayed: "relay"
        }
    }
}

extension Candidate.Transport {
    fileprivate init?(token: Substring) {
        switch token.uppercased() {
        case "UDP": self = .udp
        case "TCP": self = .tcp(.passive)
        default: return nil
        }
    }

    fileprivate func with(tcpType: Substring?) -> Candidate.Transport? {
        guard isTCP else { return .udp }
        return Candidate.TCPRole.allCases.first { $0.token == tcpType ?? "" }.map { .tcp($0) }
    }
}

extension Candidate.TCPRole {
    /// The word of RFC 6544 §4.5.
    var token: String {
        switch self {
        case .active: "active"
        case .passive: "passive"
        case .simultaneousOpen: "so"
        }
    }
}

extension StringProtocol {
    /// The text without white space around it.
    func trimmingSpaces() -> String {
        let isSpace = { (byte: UInt8) in byte == 0x20 || (9...13).contains(byte) }
        let bytes = Array(utf8)
        guard let first = bytes.firstIndex(where: { !isSpace($0) }), let last = bytes.lastIndex(where: { !isSpace($0) })
        else { return "" }
        return String(decoding: bytes[first...last], as: UTF8.self)
    }
}
