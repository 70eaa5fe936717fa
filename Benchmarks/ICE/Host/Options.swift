import Glibc
import ICEDriver
import SansIO
import SecureChannel
import SwiftICE

/// What the command line says of all sessions.
struct Options: Sendable {
    private var stunServer: Endpoint?
    private var turnServer: TURNServer?
    private var turnTrust = ServerTrust.system
    private var isRelayOnly = false
    private var usesTCP = false

    init?(_ arguments: some Sequence<String>) {
        var words = arguments.makeIterator()
        while let option = words.next() {
            switch option {
            case "--tcp": usesTCP = true
            case "--relay-only": isRelayOnly = true
            case "--stun":
                guard let server = words.next().flatMap({ Endpoint($0) }) else { return nil }
                stunServer = server
            case "--turn", "--turn-tcp", "--turn-tls":
                guard let server = words.next().flatMap({ Endpoint($0) }) else { return nil }
                let transports: [String: TURNServer.Transport] = ["--turn-tcp": .tcp, "--turn-tls": .tls]
                turnServer = TURNServer(
                    .address(server.address), port: server.port, transport: transports[option] ?? .udp,
                    username: "user", password: "pass")
            case "--authority":
                guard let pem = words.next().flatMap(read) else { return nil }
                turnTrust = .authorities(pem: pem)
            case "--any-server": turnTrust = .anyServer
            default: return nil
            }
        }
    }

    func configuration(addresses: [Endpoint]) -> ICESession.Configuration {
        var configuration = ICESession.Configuration()
        configuration.socketBuffer = 1 << 20
        configuration.addresses = addresses
        configuration.usesUDP = !usesTCP
        configuration.usesTCP = usesTCP
        configuration.stunServers = [stunServer].compactMap(\.self)
        configuration.turnServers = [turnServer].compactMap(\.self)
        configuration.turnTrust = turnTrust
        configuration.agent.policy = isRelayOnly ? .relayOnly : .all
        return configuration
    }
}

/// A small file as text.
private func read(_ path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
        count = fread(buffer.baseAddress, 1, buffer.count, file)
    }
    return String(decoding: bytes, as: UTF8.self)
}
