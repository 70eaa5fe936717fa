internal import SansIO

extension TURNServer {
    /// Reads `turn:[USER[:PASSWORD]@]HOST[:PORT][?transport=udp|tcp]`, or `turns:…` for TLS: RFC 7065 with the user in front
    /// of the host.
    ///
    /// User and password may hold `%XX` for what would end them. `nil` for anything else.
    public init?(uri: String, password: String = "") {
        var rest = uri[...]
        let isSecure = rest.hasPrefix("turns:")
        guard isSecure || rest.hasPrefix("turn:") else { return nil }
        rest = rest.dropFirst(isSecure ? 6 : 5)
        var transport = isSecure ? Transport.tls : .udp
        if let mark = rest.lastIndex(of: "?") {
            switch (rest[rest.index(after: mark)...], isSecure) {
            case ("transport=udp", false): transport = .udp
            case ("transport=tcp", false): transport = .tcp
            case ("transport=tcp", true): transport = .tls
            default: return nil
            }
            rest = rest[..<mark]
        }
        var (user, secret) = ("", password)
        if let at = rest.lastIndex(of: "@") {
            let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.unescaped(parts[0]) else { return nil }
            user = name
            if parts.count > 1 {
                guard let word = Self.unescaped(parts[1]) else { return nil }
                secret = word
            }
            rest = rest[rest.index(after: at)...]
        }
        guard let (host, port) = HostText.read(rest) else { return nil }
        let place = IPAddress(host).map(Host.address) ?? .name(host)
        self.init(place, port: port, transport: transport, username: user, password: secret)
    }

    /// Puts in the bytes that `%XX` stands for.
    private static func unescaped(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            guard digits.utf8.count == 2, let value = UInt8(digits, radix: 16) else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
