import SansIO
import SwiftICE
import Testing

struct NATBehaviorTests {
    private static let primary = Endpoint(.v4(0x1400_000A), port: 3478)
    private static let other = Endpoint(.v4(0x1400_000B), port: 3479)
    private static let external = IPAddress.v4(0x1400_0102)

    /// A NAT of some kind, and a server with two addresses behind it.
    private struct Stage {
        typealias Dependence = NATBehavior.Dependence

        var mapping: Dependence?
        var filtering: Dependence
        var hairpins = false
        var hasOther = true
        var preservesPort = false
        private var sentTo: [NATBehaviorDiscovery.Socket: [Endpoint]] = [:]
        private var now = Instant.zero
        private(set) var told: [NATBehaviorDiscovery.Effect] = []
        private var discovery: NATBehaviorDiscovery
        private static let locals: [NATBehaviorDiscovery.Socket: Endpoint] = [
            .first: Endpoint(.v4(0xC0A8_010A), port: 4000), .second: Endpoint(.v4(0xC0A8_010A), port: 4001),
        ]

        init(_ mapping: Dependence?, _ filtering: Dependence) {
            (self.mapping, self.filtering) = (mapping, filtering)
            discovery = NATBehaviorDiscovery(
                server: NATBehaviorTests.primary, local: Self.locals[.first], random: .seeded(7))
        }

        private func mapped(_ socket: NATBehaviorDiscovery.Socket, _ peer: Endpoint) -> Endpoint {
            guard let mapping, let local = Self.locals[socket] else { return Self.locals[socket] ?? peer }
            guard mapping != .endpointIndependent || !preservesPort else { return local.outside(local.port) }
            let salt: UInt16 =
                switch mapping {
                case .endpointIndependent: 0
                case .addressDependent: peer.address == NATBehaviorTests.primary.address ? 1 : 2
                case .addressAndPortDependent:
                    (peer.address == NATBehaviorTests.primary.address ? 4 : 8) + peer.port % 2
                }
            return local.outside(local.port + 20_000 + 100 * salt)
        }

        private func lets(_ source: Endpoint, into socket: NATBehaviorDiscovery.Socket) -> Bool {
            switch filtering {
            case .endpointIndependent: true
            case .addressDependent: sentTo[socket]?.contains { $0.address == source.address } ?? false
            case .addressAndPortDependent: sentTo[socket]?.contains(source) ?? false
            }
        }

        mutating func run() {
            take(discovery.start(at: now))
            while let next = discovery.deadline {
                now = next
                take(discovery.advance(to: now))
            }
        }

        private mutating func take(_ effects: [NATBehaviorDiscovery.Effect]) {
            for effect in effects {
                guard case .send(let bytes, let destination, let socket) = effect else {
                    told.append(effect)
                    continue
                }
                sentTo[socket, default: []].append(destination)
                if destination.address == NATBehaviorTests.external {
                    hairpin(bytes, destination, from: socket)
                } else {
                    serve(bytes, destination, from: socket)
                }
            }
        }

        private mutating func hairpin(
            _ bytes: [UInt8], _ destination: Endpoint, from socket: NATBehaviorDiscovery.Socket
        ) {
            let target: NATBehaviorDiscovery.Socket = socket == .first ? .second : .first
            guard hairpins else { return }
            take(discovery.receive(bytes, on: target, from: mapped(socket, destination), at: now))
        }

        private mutating func serve(_ bytes: [UInt8], _ destination: Endpoint, from socket: NATBehaviorDiscovery.Socket)
        {
            guard let request = try? Message(decoding: bytes) else { return }
            var source = destination
            if case .changeRequest(let address, let port) = request.first(.changeRequest) {
                let changed = address ? NATBehaviorTests.other.address : destination.address
                source = Endpoint(changed, port: port ? NATBehaviorTests.other.port : destination.port)
            }
            var builder = MessageBuilder(.success, .binding, request.transaction)
            builder.add(.xorAddress(.xorMappedAddress, mapped(socket, destination)))
            if hasOther { builder.add(.address(.otherAddress, NATBehaviorTests.other)) }
            guard lets(source, into: socket) else { return }
            take(discovery.receive(builder.finishedWithFingerprint(), on: socket, from: source, at: now))
        }

        var behavior: NATBehavior? {
            for case .finished(let behavior) in told { return behavior }
            return nil
        }
    }

    static let kinds: [NATBehavior.Dependence] = [.endpointIndependent, .addressDependent, .addressAndPortDependent]

    @Test(arguments: kinds, kinds) func kindsAreTold(
        _ mapping: NATBehavior.Dependence, _ filtering: NATBehavior.Dependence
    ) {
        for hairpins in [false, true] {
            var stage = Stage(mapping, filtering)
            stage.hairpins = hairpins
            stage.run()
            #expect(stage.behavior?.mapping == mapping)
            #expect(stage.behavior?.filtering == filtering)
            #expect(stage.behavior?.hairpins == hairpins)
            #expect(stage.behavior?.isDirect == false && stage.behavior?.preservesPort == false)
            #expect(stage.told.count { if case .finished = $0 { true } else { false } } == 1)
        }
    }

    @Test func aPublicAddressIsDirect() {
        var stage = Stage(nil, .addressAndPortDependent)
        stage.run()
        #expect(stage.behavior?.isDirect == true && stage.behavior?.preservesPort == true)
        #expect(stage.behavior?.hairpins == nil && stage.behavior?.mapping == .endpointIndependent)
    }

    @Test func preservedPortsAreSeen() {
        var stage = Stage(.endpointIndependent, .addressAndPortDependent)
        stage.preservesPort = true
        stage.run()
        #expect(stage.behavior?.preservesPort == true && stage.behavior?.isDirect == false)
    }

    @Test func aServerWithOneAddressTellsLess() {
        var stage = Stage(.addressDependent, .addressDependent)
        stage.hasOther = false
        stage.run()
        #expect(stage.behavior != nil)
        #expect(stage.behavior?.mapping == nil && stage.behavior?.filtering == nil)
    }

    @Test func blockedUDPIsAFailure() {
        var discovery = NATBehaviorDiscovery(server: Self.primary, random: .seeded(1))
        var (effects, sends) = (discovery.start(at: .zero), 0)
        var told: [NATBehaviorDiscovery.Effect] = []
        while true {
            for effect in effects { if case .send = effect { sends += 1 } else { told.append(effect) } }
            guard let next = discovery.deadline else { break }
            effects = discovery.advance(to: next)
        }
        #expect(told == [.failed(.noAnswer)] && sends == 6)
    }
}

extension Endpoint {
    fileprivate func outside(_ port: UInt16) -> Endpoint { Endpoint(.v4(0x1400_0102), port: port) }
}
