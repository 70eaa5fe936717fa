/// A transport address: an IP address, a port and, for link-local IPv6, the interface it is valid on.
public struct Endpoint: Hashable, Sendable {
    /// The IP address.
    public let address: IPAddress
    /// The UDP or TCP port.
    public let port: UInt16
    /// The interface index of a link-local IPv6 address (RFC 4007); 0 everywhere else. Never goes on the wire.
    public let scope: UInt32

    /// Joins an address and a port.
    public init(_ address: IPAddress, port: UInt16, scope: UInt32 = 0) {
        self.address = address
        self.port = port
        self.scope = scope
    }

    /// The same address with another port.
    public func with(port: UInt16) -> Endpoint { Endpoint(address, port: port, scope: scope) }

    /// The endpoint with an IPv4-mapped IPv6 address replaced by the IPv4 address inside.
    public var unmapped: Endpoint { Endpoint(address.unmapped, port: port, scope: scope) }
}

extension Endpoint: LosslessStringConvertible {
    /// Reads `192.0.2.1:4222`, `[2001:db8::1]:4222` or `[fe80::1%2]:4222`.
    public init?(_ description: String) {
        guard let colon = description.lastIndex(of: ":") else { return nil }
        var host = description[..<colon]
        let digits = description[description.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let port = UInt16(digits)
        else { return nil }
        var scope: UInt32 = 0
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
            if let percent = host.firstIndex(of: "%") {
                let zone = host[host.index(after: percent)...]
                guard zone.first != "+", let number = UInt32(zone), number > 0 else { return nil }
                (scope, host) = (number, host[..<percent])
            }
            guard host.contains(":") else { return nil }
        } else if host.contains(":") {
            return nil
        }
        guard let address = IPAddress(String(host)) else { return nil }
        self.init(address, port: port, scope: scope)
    }

    /// `192.0.2.1:4222` or `[2001:db8::1]:4222`, with `%scope` inside the brackets where there is one.
    public var description: String {
        switch address {
        case .v4: "\(address):\(port)"
        case .v6: scope == 0 ? "[\(address)]:\(port)" : "[\(address)%\(scope)]:\(port)"
        }
    }
}
