/// Hosts and ports as people write them.
public enum HostText {
    /// Reads `HOST`, `HOST:PORT`, `[IPv6]` or `[IPv6]:PORT`; `nil` for anything else, and for port 0.
    public static func read(_ text: some StringProtocol) -> (host: String, port: UInt16?)? {
        var host = String(text)[...]
        var port: UInt16?
        if let colon = host.lastIndex(of: ":"), host[..<colon].last == "]" || !host[..<colon].contains(":") {
            guard let number = UInt16(host[host.index(after: colon)...]), number > 0 else { return nil }
            port = number
            host = host[..<colon]
        }
        if host.first == "[", host.last == "]" { host = host.dropFirst().dropLast() }
        guard !host.isEmpty, !host.contains(where: { $0.isWhitespace || $0 == "[" || $0 == "]" }) else { return nil }
        return (String(host), port)
    }

    /// `HOST:PORT`, with brackets around an IPv6 address.
    public static func write(_ host: String, _ port: UInt16) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
