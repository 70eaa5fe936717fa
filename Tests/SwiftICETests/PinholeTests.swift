import Foundation
import SansIO
import SwiftICE
import TestVectors
import Testing

/// Gateways whose firewall for IPv6 is opened by UPnP (WANIPv6FirewallControl:1).
@Suite("Holes in a firewall for IPv6")
struct PinholeTests {
    private static let own = IPAddress.v6(high: 0x2001_0DB8_0077_0000, low: 0x10)
    private static let gateway = Endpoint(.v6(high: 0xFE80_0000_0000_0000, low: 1), port: 0, scope: 3)
    private static let description = Endpoint("[2001:db8:77::1]:5000")!

    /// A gateway, and a mapper that speaks with it in virtual time.
    private struct Stage {
        var mapper = PortMapper(client: PinholeTests.own, gateway: PinholeTests.gateway, random: .seeded(1))
        var now = Instant.zero
        var told: [PortMapper.Effect] = []
        var actions: [String] = []
        var connected: [Endpoint] = []
        var searched: [Endpoint] = []
        /// The names and ends of the holes that are open.
        var holes: [Int: Instant] = [:]
        var opened = 0
        /// What the gateway says of itself.
        var isFirewall = true
        var allowsHoles = true
        var refusal: Int?
        /// Draws changes of what it answers.
        var mutation: UInt64?
        /// Where its answer to a search comes from, and leads to.
        var source = PinholeTests.description.with(port: 1900)
        var location = PinholeTests.description

        mutating func take(_ effects: [PortMapper.Effect]) {
            for effect in effects {
                switch effect {
                case .send(let bytes, let destination):
                    guard destination.port == 1900 else { continue }
                    searched.append(destination)
                    guard String(decoding: bytes, as: UTF8.self).contains("WANIPv6FirewallControl:1") else { continue }
                    let answer = "HTTP/1.1 200 OK\r\nLOCATION: http://\(location)/d.xml\r\n\r\n"
                    take(mapper.receive(Array(answer.utf8).span, from: source, at: now))
                case .connect(let id, let endpoint):
                    connected.append(endpoint)
                    take(mapper.connected(id, at: now))
                case .write(let bytes, let id):
                    take(mapper.receive(Array(answering(bytes).utf8).span, on: id, at: now))
                    take(mapper.closed(id, at: now))
                case .close: break
                default: told.append(effect)
                }
            }
        }

        mutating func run(for duration: Duration) {
            let end = now.advanced(by: duration)
            while let next = mapper.deadline, next <= end {
                now = max(now, next)
                take(mapper.advance(to: now))
            }
            now = end
        }

        /// The answer to a request, changed where changes are drawn.
        mutating func answering(_ request: [UInt8]) -> String {
            let answer = serve(String(decoding: request, as: UTF8.self))
            guard let mutation else { return answer }
            var random = RandomSource.seeded(mutation &+ UInt64(request.count))
            return String(decoding: mutated(Array(answer.utf8), &random), as: UTF8.self)
        }

        /// What a gateway of version 2 answers.
        private mutating func serve(_ request: String) -> String {
            guard request.hasPrefix("POST /fw ") else {
                return body(
                    "<root><service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:2</serviceType>"
                        + "<controlURL>/ip</controlURL></service><service>"
                        + "<serviceType>urn:schemas-upnp-org:service:WANIPv6FirewallControl:1</serviceType>"
                        + "<controlURL>/fw</controlURL></service></root>")
            }
            let action = request.split(separator: "#")[1].prefix { $0 != "\"" }
            actions.append(String(action))
            switch action {
            case "GetFirewallStatus":
                return answer(
                    action,
                    "<FirewallEnabled>\(isFirewall ? 1 : 0)</FirewallEnabled>"
                        + "<InboundPinholeAllowed>\(allowsHoles ? 1 : 0)</InboundPinholeAllowed>")
            case "AddPinhole":
                let wanted =
                    "<RemoteHost></RemoteHost><RemotePort>0</RemotePort><InternalClient>2001:db8:77::10</InternalClient>"
                    + "<InternalPort>9900</InternalPort><Protocol>17</Protocol><LeaseTime>7200</LeaseTime>"
                guard refusal == nil, request.contains(wanted) else { return fault(refusal ?? 402) }
                opened += 1
                holes[opened] = now.advanced(by: .seconds(7200))
                return answer(action, "<UniqueID>\(opened)</UniqueID>")
            case "UpdatePinhole":
                guard let id = id(request), holes[id] != nil else { return fault(704) }
                holes[id] = now.advanced(by: .seconds(7200))
                return answer(action, "")
            case "DeletePinhole":
                guard let id = id(request), holes.removeValue(forKey: id) != nil else { return fault(704) }
                return answer(action, "")
            default: return fault(401)
            }
        }

        private func id(_ request: String) -> Int? {
            guard let start = request.range(of: "<UniqueID>") else { return nil }
            return Int(request[start.upperBound...].prefix { $0 != "<" })
        }

        private func answer(_ action: Substring, _ values: String) -> String {
            body(
                "<s:Envelope xmlns:s='x'><s:Body><u:\(action)Response xmlns:u='y'>\(values)</u:\(action)Response>"
                    + "</s:Body></s:Envelope>")
        }

        private func body(_ text: String) -> String {
            "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)"
        }

        private func fault(_ code: Int) -> String {
            let text = "<s:Envelope xmlns:s='x'><s:Body><errorCode>\(code)</errorCode></s:Body></s:Envelope>"
            return "HTTP/1.1 500 No\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)"
        }
    }

    private func started(_ change: (inout Stage) -> Void = { _ in }) -> (stage: Stage, id: PortMapper.MappingID) {
        var stage = Stage()
        change(&stage)
        let (id, effects) = stage.mapper.add(.udp, port: 9900, at: .zero)
        stage.take(effects)
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .seconds(4))
        return (stage, id)
    }

    @Test("a hole is opened for our own port, renewed at half of its time, and closed at the end")
    func life() {
        var (stage, _) = started()
        #expect(stage.mapper.mappings.map(\.external) == [Endpoint(Self.own, port: 9900)])
        #expect(stage.mapper.mappings.map(\.method) == [.igd])
        #expect(Set(stage.searched) == [Endpoint("[ff02::c%3]:1900")!, Self.gateway.with(port: 1900)])
        #expect(stage.connected.allSatisfy { $0 == Self.description })
        stage.run(for: .seconds(36_000))
        #expect(stage.actions.count { $0 == "UpdatePinhole" } == 10)
        #expect(stage.opened == 1 && stage.holes.values.allSatisfy { $0 > stage.now })
        stage.take(stage.mapper.close(at: stage.now))
        stage.run(for: .seconds(2))
        #expect(stage.told.last == .closed && stage.holes.isEmpty)
    }

    @Test("a hole that the gateway forgot is opened anew")
    func forgotten() {
        var (stage, _) = started()
        stage.holes = [:]
        stage.run(for: .seconds(3700))
        #expect(stage.holes.count == 1 && stage.opened == 2)
        #expect(!stage.told.contains { if case .lost = $0 { true } else { false } })
    }

    @Test("a gateway without a firewall, or with one that stays closed, is left alone")
    func closedGateways() {
        for change in [{ $0.isFirewall = false }, { $0.allowsHoles = false }] as [(inout Stage) -> Void] {
            let (stage, id) = started(change)
            #expect(stage.actions.allSatisfy { $0 == "GetFirewallStatus" })
            #expect(stage.told.contains(.failed(id, .noGateway)))
        }
    }

    @Test("a refusal is told with the gateway's code")
    func refused() {
        let (stage, id) = started { $0.refusal = 606 }
        #expect(stage.told.contains(.failed(id, .refused(.igd, code: 606))))
        #expect(stage.holes.isEmpty)
    }

    @Test("a hole that is given back while it is being asked for is closed")
    func givenBackEarly() {
        var mapper = PortMapper(client: Self.own, gateway: Self.gateway, random: .seeded(1))
        var helper = Stage()
        let (id, _) = mapper.add(.udp, port: 9900, at: .zero)
        var held: (PortMapper.ConnectionID, [UInt8])?
        var told: [PortMapper.Effect] = []
        func take(_ effects: [PortMapper.Effect]) {
            for effect in effects {
                switch effect {
                case .connect(let id, _): take(mapper.connected(id, at: .zero))
                case .write(let bytes, let connection):
                    let answer = Array(helper.answering(bytes).utf8)
                    guard !String(decoding: bytes, as: UTF8.self).contains("#AddPinhole") else {
                        held = (connection, answer)
                        continue
                    }
                    take(mapper.receive(answer.span, on: connection, at: .zero))
                default: told.append(effect)
                }
            }
        }
        take(mapper.start(at: .zero))
        let answer = "HTTP/1.1 200 OK\r\nLOCATION: http://\(Self.description)/d.xml\r\n\r\n"
        take(mapper.receive(Array(answer.utf8).span, from: Self.description.with(port: 1900), at: .zero))
        while held == nil, let next = mapper.deadline { take(mapper.advance(to: next)) }
        take(mapper.remove(id, at: .zero))
        if let (connection, answer) = held { take(mapper.receive(answer.span, on: connection, at: .zero)) }
        #expect(helper.opened == 1 && helper.holes.isEmpty, "\(helper.actions)")
    }

    @Test("answers of other hosts, and advice to ask elsewhere, are not followed")
    func strangers() {
        let changes: [(inout Stage) -> Void] = [
            { $0.source = Endpoint("[2001:db8:78::1]:1900")! },
            { $0.location = Endpoint("[2001:db8:78::1]:5000")! },
            { $0.location = Endpoint("[2001:db8:77::10]:5000")! },
            { $0.location = Endpoint("192.168.77.1:5000")! },
        ]
        for change in changes {
            let (stage, _) = started(change)
            #expect(stage.connected.isEmpty && stage.mapper.mappings.isEmpty)
        }
        let (stage, _) = started { stage in
            stage.source = Self.gateway.with(port: 1900)
            stage.location = Endpoint(Self.gateway.address, port: 5000)
        }
        #expect(stage.connected.first == Endpoint(Self.gateway.address, port: 5000, scope: 3))
    }

    @Test("changed answers never trap", arguments: 0..<32 as Range<UInt64>)
    func mutations(seed: UInt64) {
        var stage = Stage()
        stage.mutation = seed
        stage.take(stage.mapper.add(.udp, port: 9900, at: .zero).effects)
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .seconds(20_000))
        #expect(stage.mapper.mappings.count <= 1)
    }
}
