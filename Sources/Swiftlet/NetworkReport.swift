internal import ICEDriver
public import SansIO
public import SwiftICE

/// How a device can be reached, and what that means for calls.
public struct NetworkReport: Hashable, Sendable {
    /// One family of addresses.
    public struct Family: Hashable, Sendable {
        /// The family.
        public let family: IPAddress.Family
        /// The address of the machine's own that was used.
        public let local: Endpoint
        /// Where others see it; `nil` when nobody answered.
        public let external: Endpoint?
        /// What the external port depends on; `nil` when too few could tell. Where two tellers see different ports it is told
        /// as depending on the address, as they have different ones.
        public let mapping: NATBehavior.Dependence?
        /// From whom something gets in; `nil` without a STUN server that can tell.
        public let filtering: NATBehavior.Dependence?
        /// Whether the NAT lets hosts behind it reach each other by their external addresses; `nil` without a NAT.
        public let hairpins: Bool?
        /// How long the quickest answer took.
        public let roundTrip: Duration?

        /// Whether others see our own address: nothing translates it.
        public var isDirect: Bool { external == local }
    }

    /// A TURN server.
    public struct Relay: Hashable, Sendable {
        /// The server, as `HOST:PORT`.
        public let server: String
        /// The transport to it.
        public let transport: TURNServer.Transport
        /// Whether it gives us relays.
        public let isUsable: Bool
        /// How long it took to get one.
        public let setUp: Duration
        /// The round trip to the server; `nil` where it gives no relays.
        public let roundTrip: Duration?
    }

    /// A STUN server.
    public struct STUNServer: Hashable, Sendable {
        /// Where it was asked.
        public let endpoint: Endpoint
        /// How long its quickest answer took; `nil` where none came.
        public let roundTrip: Duration?
    }

    /// What calls can expect, from best to worst.
    public enum Outlook: String, Hashable, Sendable {
        /// Everybody reaches the device: it has a public address, or a port of the gateway.
        case open
        /// Calls connect directly with nearly everybody.
        case direct
        /// Calls connect directly with peers that are easily reached, and need a relay with others.
        case restricted
        /// What the NAT does is not known: too few could be asked.
        case unknown
        /// No datagram comes back: calls need a relay over TCP or TLS.
        case blocked
    }

    /// The families the machine has addresses of.
    public let families: [Family]
    /// How the gateway maps ports; `nil` where there is none that does.
    public let portMapping: PortMapping.Method?
    /// Where a mapped port of the gateway can be reached.
    public let mappedAddress: IPAddress?
    /// How the gateway opens its firewall for IPv6; `nil` where there is none that does.
    public let firewallOpening: PortMapping.Method?
    /// The TURN servers of the configuration.
    public let relays: [Relay]
    /// The STUN servers of the configuration, those of the machine's families.
    public let servers: [STUNServer]

    init(_ result: NetworkCheck.Result) {
        families = result.families.map(Family.init)
        portMapping = result.mapping?.method
        let isUseful = result.mapping.map { !$0.isBehindAnotherNAT } ?? false
        mappedAddress = isUseful ? result.mapping?.external.address : nil
        firewallOpening = result.pinhole?.method
        relays = result.relays.map(Relay.init)
        servers = result.servers.map { STUNServer(endpoint: $0.endpoint, roundTrip: $0.roundTrip) }
    }

    /// What calls can expect.
    public var outlook: Outlook {
        let seen = families.filter { $0.external != nil }
        if seen.isEmpty { return .blocked }
        if mappedAddress != nil || seen.contains(where: \.isDirect) { return .open }
        let mappings = seen.map(\.mapping)
        if mappings.contains(.endpointIndependent) { return .direct }
        return mappings.contains { $0 != nil } ? .restricted : .unknown
    }
}

extension NetworkReport.Family {
    init(_ family: NetworkCheck.Family) {
        self.family = family.family
        local = family.local
        // A guess equals the local port; somebody who tells another one knows.
        let told = family.views.map(\.mapped)
        external = told.first ?? family.behavior?.mapped
        let tellers = Set(family.views.map(\.teller.address))
        let seen: NATBehavior.Dependence? =
            tellers.count < 2 ? nil : Set(told).count == 1 ? .endpointIndependent : .addressDependent
        mapping = family.behavior?.mapping ?? seen
        filtering = family.behavior?.filtering
        hairpins = family.hairpins ?? family.behavior?.hairpins
        roundTrip = family.views.compactMap(\.roundTrip).min()
    }
}

extension NetworkReport.Relay {
    init(_ relay: NetworkCheck.Relay) {
        let host =
            switch relay.server.host {
            case .address(let address): address.description
            case .name(let name), .domain(let name): name
            }
        server = HostText.write(host, relay.server.port)
        transport = relay.server.transport
        isUsable = !relay.relayed.isEmpty
        setUp = relay.setUp
        roundTrip = relay.roundTrip
    }
}
