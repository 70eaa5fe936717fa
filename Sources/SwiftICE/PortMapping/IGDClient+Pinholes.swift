internal import SansIO

/// Holes in the firewall of a gateway, through which anybody may send to a port of an IPv6 address (WANIPv6FirewallControl:1).
/// Nothing is translated there, so a hole leads from our own address and port to themselves.
extension IGDClient {
    /// The gateway's name for a hole.
    typealias PinholeID = UInt16

    /// The longest lease in seconds (§2.3.9).
    private static let longestLease: UInt32 = 86_400

    /// Whether the gateway is asked to open its firewall instead of mapping ports.
    var isFirewall: Bool { client.family == .v6 }

    /// Whether an address is the gateway's. Over IPv6 it has several, and is known by that of the link only: what else has
    /// our own prefix is on our link.
    func isGateway(_ address: IPAddress) -> Bool {
        if address == gateway.address { return true }
        guard case .v6(let ours, _) = client, case .v6(let theirs, _) = address else { return false }
        return ours == theirs && address != client
    }

    mutating func openPinhole(_ key: MappingKey, seconds: UInt32, at now: Instant) -> [GatewayEvent] {
        let seconds = min(max(seconds, 1), Self.longestLease)
        unwanted.removeAll { $0 == key }
        jobs.append(
            pinholes[key].map { .renewPinhole(key, $0, seconds: seconds) } ?? .openPinhole(key, seconds: seconds))
        return next(at: now)
    }

    mutating func closePinhole(_ key: MappingKey, at now: Instant) -> [GatewayEvent] {
        if case .openPinhole(key, _)? = exchange?.job {
            unwanted.append(key)
            return []
        }
        guard phase == .ready, let id = pinholes[key] else { return [.unmapped(key)] }
        jobs.append(.closePinhole(key, id))
        return next(at: now)
    }

    /// The arguments of AddPinhole (§2.5.3): from every address and port.
    func pinholeArguments(_ key: MappingKey, _ seconds: UInt32) -> KeyValuePairs<String, String> {
        [
            "RemoteHost": "", "RemotePort": "0", "InternalClient": client.description, "InternalPort": "\(key.port)",
            "Protocol": "\(key.transport.rawValue)", "LeaseTime": "\(seconds)",
        ]
    }

    /// Whether there is a firewall, and we may open it (§2.5.1).
    func opensPinholes(_ status: XMLElement) -> Bool {
        ["FirewallEnabled", "InboundPinholeAllowed"].allSatisfy { ["1", "true", "yes"].contains(status.value($0)) }
    }

    mutating func pinholeOpened(_ key: MappingKey, _ name: String?, _ seconds: UInt32) -> [GatewayEvent] {
        guard let id = name.flatMap({ PinholeID($0) }) else { return pinholeFailed(key, .refused(code: 501)) }
        pinholes[key] = id
        guard !unwanted.contains(key) else {
            jobs.insert(.closePinhole(key, id), at: 0)
            return []
        }
        return pinholeStands(key, seconds)
    }

    func pinholeStands(_ key: MappingKey, _ seconds: UInt32) -> [GatewayEvent] {
        [.mapped(key, external: Endpoint(client, port: key.port), lifetime: .seconds(Int64(seconds)))]
    }

    /// A hole the gateway does not know any more is opened anew.
    mutating func pinholeIsUnknown(_ key: MappingKey, _ seconds: UInt32) -> [GatewayEvent] {
        pinholes[key] = nil
        jobs.insert(.openPinhole(key, seconds: seconds), at: 0)
        return []
    }

    mutating func pinholeFailed(_ key: MappingKey, _ failure: GatewayEvent.Failure) -> [GatewayEvent] {
        guard !unwanted.contains(key) else { return pinholeClosed(key) }
        return [.failed(key, failure)]
    }

    mutating func pinholeClosed(_ key: MappingKey) -> [GatewayEvent] {
        pinholes[key] = nil
        unwanted.removeAll { $0 == key }
        return [.unmapped(key)]
    }
}
