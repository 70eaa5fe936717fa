import ArgumentParser
import SansIO
import SwiftICE
import Swiftlet

/// `swiftlet netcheck`: how this machine can be reached.
struct NetworkCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "netcheck", abstract: "Find out how this machine can be reached, and what that means for calls.",
        discussion: "Asks nodes of the DHT, the router, and STUN and TURN servers that are named. Takes some seconds.")

    @OptionGroup var network: NetworkOptions
    @OptionGroup var reachability: ReachabilityOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await output.run {
            var configuration = Node.Configuration()
            configuration.bootstrap = network.hosts
            configuration.addresses = network.addresses
            configuration.findsNeighbours = network.discovery
            configuration.logger = output.logger
            try reachability.apply(to: &configuration)
            let report: NetworkReport
            do throws(NodeError) { report = try await Node.check(configuration) } catch { throw Failure(error) }
            show(report)
        }
    }

    private func show(_ report: NetworkReport) {
        for family in report.families { show(family) }
        let mapped = report.mappedAddress.map { [("address", Printer.Fact.text($0.description))] } ?? []
        let method = report.portMapping.map { [("method", Printer.Fact.text($0.name))] } ?? []
        output.printer.event(
            "port-mapping", [("available", .flag(report.mappedAddress != nil))] + method + mapped,
            line: "router: " + Self.words(for: report))
        if report.families.contains(where: { $0.family == .v6 }) {
            let opening = report.firewallOpening.map { [("method", Printer.Fact.text($0.name))] } ?? []
            output.printer.event(
                "firewall", [("opens", .flag(report.firewallOpening != nil))] + opening,
                line: "router: "
                    + (report.firewallOpening.map { "lets IPv6 in on request, by \($0.name)" }
                        ?? "opens no firewall for IPv6"))
        }
        for server in report.servers { show(server) }
        for relay in report.relays { show(relay) }
        let hasRelay = report.relays.contains(where: \.isUsable)
        output.printer.event(
            "outlook", [("calls", .text(report.outlook.rawValue)), ("relay", .flag(hasRelay))],
            line: report.outlook.line(hasRelay: hasRelay))
    }

    private func show(_ server: NetworkReport.STUNServer) {
        let time = server.roundTrip.map { [("roundTripMs", Printer.Fact.number($0.milliseconds))] } ?? []
        output.printer.event(
            "stun",
            [("server", .text(server.endpoint.description)), ("answers", .flag(server.roundTrip != nil))] + time,
            line: "STUN server \(server.endpoint): "
                + (server.roundTrip.map { "answers in \($0.rounded) ms" } ?? "does not answer"))
    }

    private func show(_ relay: NetworkReport.Relay) {
        let time = relay.roundTrip.map { [("roundTripMs", Printer.Fact.number($0.milliseconds))] } ?? []
        let distance = relay.roundTrip.map { ", answers in \($0.rounded) ms" } ?? ""
        output.printer.event(
            "relay",
            [
                ("server", .text(relay.server)), ("transport", .text(relay.transport.name)),
                ("usable", .flag(relay.isUsable)), ("setUpMs", .number(relay.setUp.milliseconds)),
            ] + time,
            line: "relay \(relay.server) over \(relay.transport.name): "
                + (relay.isUsable ? "ready after \(relay.setUp.rounded) ms\(distance)" : "not to be had"))
    }

    private static func words(for report: NetworkReport) -> String {
        guard let method = report.portMapping else { return "maps no ports" }
        guard let address = report.mappedAddress else {
            return "maps ports by \(method.name), but is itself behind another NAT"
        }
        return "maps ports of \(address) by \(method.name)"
    }

    private func show(_ family: NetworkReport.Family) {
        var facts: [(String, Printer.Fact)] = [
            ("family", .text(family.family.name)), ("local", .text(family.local.address.description)),
        ]
        var words: [String] = []
        if let external = family.external {
            facts += [("external", .text(external.address.description)), ("nat", .flag(!family.isDirect))]
            words.append(family.isDirect ? "no NAT" : "seen as \(external.address)")
        } else {
            words.append("nobody answers")
        }
        if let mapping = family.mapping, !family.isDirect {
            facts.append(("mapping", .text(mapping.name)))
            words.append("mapping \(mapping.words)")
        }
        if let filtering = family.filtering {
            facts.append(("filtering", .text(filtering.name)))
            words.append("filtering \(filtering.words)")
        }
        if let hairpins = family.hairpins {
            facts.append(("hairpin", .flag(hairpins)))
            words.append(hairpins ? "hairpins" : "no hairpin")
        }
        if let roundTrip = family.roundTrip { facts.append(("roundTripMs", .number(roundTrip.milliseconds))) }
        output.printer.event(
            "address", facts,
            line: "\(family.family.name) \(family.local.address): \(words.joined(separator: ", "))")
    }
}

extension Duration {
    /// Whole milliseconds, or tenths below ten.
    fileprivate var rounded: String {
        milliseconds < 10 ? "\((milliseconds * 10).rounded() / 10)" : "\(Int(milliseconds.rounded()))"
    }
}

extension NATBehavior.Dependence {
    fileprivate var name: String {
        switch self {
        case .endpointIndependent: "endpoint-independent"
        case .addressDependent: "address-dependent"
        case .addressAndPortDependent: "address-and-port-dependent"
        }
    }

    fileprivate var words: String {
        switch self {
        case .endpointIndependent: "the same for everybody"
        case .addressDependent: "by address"
        case .addressAndPortDependent: "by address and port"
        }
    }
}

extension PortMapping.Method {
    fileprivate var name: String {
        switch self {
        case .pcp: "PCP"
        case .natPMP: "NAT-PMP"
        case .igd: "UPnP"
        }
    }
}

extension TURNServer.Transport {
    fileprivate var name: String {
        switch self {
        case .udp: "UDP"
        case .tcp: "TCP"
        case .tls: "TLS"
        }
    }
}

extension NetworkReport.Outlook {
    /// What it means, in one line for people.
    fileprivate func line(hasRelay: Bool) -> String {
        let help = hasRelay ? "the relay helps out" : "name a relay with --turn for the others"
        return switch self {
        case .open: "Calls: everybody reaches this machine directly."
        case .direct: "Calls: direct with nearly everybody; behind the strictest NATs \(help)."
        case .restricted: "Calls: direct with peers that are easily reached; \(help)."
        case .unknown: "Calls: probably direct; too few could be asked to say more (two nodes of this kind, or --stun)."
        case .blocked:
            hasRelay
                ? "Calls: nothing comes back over UDP; only the relay leads out."
                : "Calls: nothing comes back over UDP; without a relay (--turn) there is no way out."
        }
    }
}
