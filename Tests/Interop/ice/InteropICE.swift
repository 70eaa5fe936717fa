import EventLoop
import Foundation
import SansIO
import SwiftICE

/// Runs one row against a real server or gateway, and says in one line what came of it. See scripts/interop-ice.
@main
enum InteropICE {
    static func main() async {
        var words = Array(CommandLine.arguments.dropFirst())
        guard words.count >= 2 else { return fail("usage: InteropICE ROW SERVER [OWN-ADDRESS...]") }
        let (row, place) = (words.removeFirst(), words.removeFirst())
        do {
            let loop = try EventLoop()
            defer { loop.shutdown() }
            print(try await run(row, place, words.compactMap { IPAddress($0) }, on: loop))
        } catch let error as Disappointment {
            fail(error.what)
        } catch {
            fail("\(error)")
        }
    }

    private static func fail(_ text: String) {
        print(text)
        exit(1)
    }

    private static func run(_ row: String, _ place: String, _ own: [IPAddress], on loop: EventLoop) async throws
        -> String
    {
        let parts = row.split(separator: "-", maxSplits: 1).map(String.init)
        if parts[0] == "map", let gateway = IPAddress(place), let client = own.first {
            return try await map(parts.last ?? "", gateway, client, on: loop)
        }
        guard let server = Endpoint(place) else { throw Disappointment(what: "no such server: \(place)") }
        var rows = RelayRows(loop: loop, server: server, leg: parts[0].hasPrefix("udp") ? .datagram : .stream, own: own)
        switch parts.last {
        case "datagrams": return try await rows.datagrams()
        case "ipv6": return try await rows.families(.v6)
        case "dual": return try await rows.families(.both)
        case "even-port": return try await rows.evenPort()
        case "connect": return try await rows.connect()
        case "accept": return try await rows.accept()
        case "stale-nonce": return try await rows.staleNonce()
        case "quota": return try await rows.quota()
        case "forbidden-peer": return try await rows.forbiddenPeer()
        case "wrong-password":
            rows.password = "wrong"
            return try await rows.wrongPassword()
        case "behavior":
            guard let local = own.first else { throw Disappointment(what: "no own address") }
            return try await BehaviorStage(on: loop, server: server).run(from: local, server: server)
        default: throw Disappointment(what: "no such row")
        }
    }

    /// The gateway as the kernel knows it: over IPv6 with the link it is on.
    private static func way(to gateway: IPAddress) throws -> Endpoint {
        guard let route = DefaultRoute.readAll().first(where: { $0.gateway == gateway }) else {
            throw Disappointment(what: "no route by \(gateway)")
        }
        return route.nextHop
    }

    /// Maps, says so, waits for a line, renews, gives back. The script looks at the gateway in between.
    private static func map(
        _ name: String, _ gateway: IPAddress, _ client: IPAddress, on loop: EventLoop
    ) async throws -> String {
        let methods: [String: PortMapping.Method] = [
            "pcp": .pcp, "natpmp": .natPMP, "igd": .igd, "pcp6": .pcp, "igd6": .igd,
        ]
        guard let method = methods[name] else { throw Disappointment(what: "no such way") }
        let stage = MappingStage(
            on: loop, method: method, client: client, gateway: try way(to: gateway), lifetime: .seconds(12))
        try await stage.start(port: 9900)
        let effect = try await stage.effect("not mapped") { if case .mapped = $0 { true } else { false } }
        guard case .mapped(_, let mapping) = effect else { throw Disappointment(what: "not mapped") }
        // At once, where `print` would wait for more.
        FileHandle.standardOutput.write(Data("mapped \(mapping.external)\n".utf8))
        _ = readLine()
        try await stage.renewal(within: .seconds(90))
        await stage.close()
        try await stage.effect("not given back") { $0 == .closed }
        return "mapped \(mapping.external) for \(mapping.lifetime?.seconds ?? 0) s, renewed, given back"
    }
}
