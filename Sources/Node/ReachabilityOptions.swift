import ArgumentParser
import Foundation
import SwiftICE
import Swiftlet

/// How a node finds ways through NATs, and which of its addresses peers see.
struct ReachabilityOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A STUN server to ask for our address, beside nodes of the DHT; repeatable.", valueName: "host[:port]"))
    var stun: [String] = []

    @Option(
        help: ArgumentHelp(
            "A TURN server, for when no direct path is found; repeatable, best first. turns: is TLS. The password may come "
                + "from --turn-password-file or SWIFTLET_TURN_PASSWORD.",
            valueName: "turn:[user[:password]@]host[:port][?transport=udp|tcp]"))
    var turn: [String] = []

    @Option(help: ArgumentHelp("A file whose first line is the password at TURN servers.", valueName: "file"))
    var turnPasswordFile: String?

    @Flag(help: "Show peers addresses of relays only, and reach them over relays only. Needs --turn.")
    var relayOnly = false

    @Flag(help: "Show peers no address of this machine's own interfaces.")
    var hideHost = false

    @Flag(inversion: .prefixedNo, help: "Ask routers to map ports to this node (PCP, NAT-PMP, UPnP).")
    var portMapping = true

    func validate() throws {
        for text in stun where Node.Configuration.STUNServer(text) == nil {
            throw ValidationError("'\(text)' is no HOST[:PORT] for --stun.")
        }
        for text in turn where TURNServer(uri: text) == nil {
            throw ValidationError("'\(Self.withoutPassword(text))' is no server for --turn; write turn:USER@HOST.")
        }
        if relayOnly, turn.isEmpty { throw ValidationError("--relay-only needs --turn.") }
        if relayOnly, hideHost { throw ValidationError("--relay-only hides the host already.") }
    }

    /// Puts the options into a node's configuration.
    func apply(to configuration: inout Node.Configuration) throws {
        configuration.stunServers = stun.compactMap(Node.Configuration.STUNServer.init)
        let password =
            try turnPasswordFile.map(PasswordOptions.password(from:))
            ?? ProcessInfo.processInfo.environment["SWIFTLET_TURN_PASSWORD"] ?? ""
        configuration.turnServers = turn.compactMap { TURNServer(uri: $0, password: password) }
        configuration.mapsPorts = portMapping
        configuration.addressPolicy = relayOnly ? .relayOnly : hideHost ? .noHost : .all
    }

    /// What may be shown of a text that holds a password.
    private static func withoutPassword(_ text: String) -> String {
        guard let at = text.lastIndex(of: "@"), let start = text.firstIndex(of: ":"), start < at else { return text }
        return text[...start] + "…" + text[at...]
    }
}
