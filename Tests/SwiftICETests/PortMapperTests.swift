import SansIO
import SwiftICE
import TestVectors
import Testing

struct PortMapperTests {
    static let client = IPAddress.v4(0xC0A8_010A)
    static let gateway = Endpoint(.v4(0xC0A8_0101), port: 0)

    /// A mapper and a gateway, in virtual time.
    struct Stage {
        var mapper: PortMapper
        var gateway = SimulatedGateway()
        var now = Instant.zero
        var told: [PortMapper.Effect] = []
        var loss = 0.0
        /// Answers requests over HTTP, whole.
        var serve: @Sendable (String) -> String? = { _ in nil }
        /// Answers searches.
        var answer: @Sendable (String) -> String? = { _ in nil }
        var requested: [String] = []
        var searches = 0
        private var random: RandomSource
        private var line: [(at: Instant, bytes: [UInt8], source: Endpoint)] = []

        init(client: IPAddress = PortMapperTests.client, seed: UInt64 = 1) {
            mapper = PortMapper(client: client, gateway: PortMapperTests.gateway, random: .seeded(seed))
            random = .seeded(seed)
        }

        mutating func take(_ effects: [PortMapper.Effect]) {
            for effect in effects {
                switch effect {
                case .send(let bytes, let destination):
                    guard Double.random(in: 0..<1, using: &random) >= loss else { continue }
                    let back = now.advanced(by: .milliseconds(3))
                    if destination.port == 5351, let answer = gateway.receive(bytes, at: now) {
                        line.append((back, answer, destination))
                    } else if destination.port == 1900 {
                        searches += 1
                        guard let text = answer(String(decoding: bytes, as: UTF8.self)) else { continue }
                        line.append((back, Array(text.utf8), PortMapperTests.gateway.with(port: 1900)))
                    }
                case .connect(let id, _): take(mapper.connected(id, at: now))
                case .write(let bytes, let id):
                    let request = String(decoding: bytes, as: UTF8.self)
                    requested.append(request)
                    guard let text = serve(request) else {
                        take(mapper.closed(id, at: now))
                        continue
                    }
                    for byte in text.utf8 { take(mapper.receive([byte], on: id, at: now)) }
                    take(mapper.closed(id, at: now))
                case .close: break
                default: told.append(effect)
                }
            }
        }

        mutating func run(for duration: Duration) {
            let end = now.advanced(by: duration)
            while true {
                let arrival = line.map(\.at).min() ?? .init(nanoseconds: .max)
                let next = min(arrival, mapper.deadline ?? .init(nanoseconds: .max))
                guard next <= end else { break }
                now = max(now, next)
                if arrival <= next, let index = line.firstIndex(where: { $0.at == arrival }) {
                    let packet = line.remove(at: index)
                    take(mapper.receive(packet.bytes, from: packet.source, at: now))
                } else {
                    take(mapper.advance(to: now))
                }
            }
            now = end
        }

        mutating func add(_ transport: PortMapping.Transport = .udp, port: UInt16 = 9900) -> PortMapper.MappingID {
            let (id, effects) = mapper.add(transport, port: port, at: now)
            take(effects)
            return id
        }

        var mapped: [PortMapping] {
            told.compactMap { if case .mapped(_, let mapping) = $0 { mapping } else { nil } }
        }
    }

    @Test func theBestWayIsChosenAtOnce() {
        var stage = Stage()
        _ = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .milliseconds(10))
        #expect(stage.mapped.map(\.method) == [.pcp])
        #expect(stage.mapped.first?.external == Endpoint(.v4(0x1400_0102), port: 9900))
        #expect(stage.gateway.isMapped(.udp, 9900, at: stage.now))
        _ = stage.add(.tcp, port: 9901)
        stage.run(for: .milliseconds(10))
        #expect(stage.gateway.isMapped(.tcp, 9901, at: stage.now))
    }

    @Test func theOlderProtocolIsUsedWhereTheNewerIsNotSpoken() {
        var stage = Stage()
        stage.gateway.speaksPCP = false
        _ = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .milliseconds(50))
        #expect(stage.mapped.map(\.method) == [.natPMP])
    }

    @Test func aGatewayThatRefusesInOneWayIsAskedInTheNext() {
        var stage = Stage()
        stage.gateway.pcpResult = .notAuthorized
        _ = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .milliseconds(100))
        #expect(stage.mapped.map(\.method) == [.natPMP])
    }

    @Test(arguments: [PortMapping.Method.pcp, .natPMP]) func leasesAreRenewedAtHalfAndGivenBack(
        _ method: PortMapping.Method
    ) {
        var stage = Stage()
        stage.gateway.speaksPCP = method == .pcp
        stage.gateway.lifetime = 600
        _ = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        for _ in 0..<100 {
            stage.run(for: .seconds(61))
            #expect(stage.gateway.isMapped(.udp, 9900, at: stage.now))
        }
        #expect(stage.mapped.count == 1)
        #expect(stage.gateway.requests < 40, "\(stage.gateway.requests) requests in 100 minutes")
        stage.take(stage.mapper.close(at: stage.now))
        stage.run(for: .seconds(1))
        #expect(stage.told.last == .closed && stage.mapper.deadline == nil)
        #expect(stage.gateway.mappings.isEmpty)
    }

    @Test(arguments: [PortMapping.Method.pcp, .natPMP]) func aGatewayThatForgotIsToldAgain(
        _ method: PortMapping.Method
    ) {
        var stage = Stage()
        stage.gateway.speaksPCP = method == .pcp
        let first = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .seconds(1000))
        stage.gateway.restart(at: stage.now)
        #expect(!stage.gateway.isMapped(.udp, 9900, at: stage.now))
        // The next answer of any kind shows the gateway's clock.
        _ = stage.add(.tcp, port: 9901)
        stage.run(for: .seconds(1))
        #expect(stage.gateway.isMapped(.udp, 9900, at: stage.now))
        #expect(stage.gateway.isMapped(.tcp, 9901, at: stage.now))
        #expect(!stage.told.contains(.lost(first)))
    }

    @Test func lossIsMadeUpFor() {
        var mapped = 0
        for seed: UInt64 in 0..<60 {
            var stage = Stage(seed: seed)
            stage.loss = 0.3
            _ = stage.add()
            stage.take(stage.mapper.start(at: .zero))
            stage.run(for: .seconds(10))
            mapped += stage.mapped.count
        }
        #expect(mapped >= 50, "\(mapped) of 60")
    }

    @Test func aSilentGatewayIsToldAndProbedLater() {
        var stage = Stage()
        (stage.gateway.speaksPCP, stage.gateway.speaksNATPMP) = (false, false)
        let id = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .seconds(5))
        #expect(stage.told == [.failed(id, .noGateway)])
        stage.gateway.speaksPCP = true
        stage.run(for: .seconds(60))
        #expect(stage.mapped.map(\.method) == [.pcp])
    }

    @Test func whatNobodyListensForIsNotWaitedFor() {
        var stage = Stage()
        (stage.gateway.speaksPCP, stage.gateway.speaksNATPMP) = (false, false)
        let id = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .milliseconds(2))
        stage.take(stage.mapper.refused(by: Self.gateway.with(port: 5351), at: stage.now))
        #expect(stage.told.isEmpty, "UPnP may still answer")
        stage.take(stage.mapper.refused(by: Self.gateway.with(port: 1900), at: stage.now))
        #expect(stage.told == [.failed(id, .noGateway)])
        stage.gateway.speaksPCP = true
        stage.run(for: stage.mapper.configuration.probeInterval + .seconds(1))
        #expect(stage.mapped.map(\.method) == [.pcp], "probed again later")
    }

    @Test func whatIsRefusedElsewhereSaysNothing() {
        var stage = Stage()
        (stage.gateway.speaksPCP, stage.gateway.speaksNATPMP) = (false, false)
        _ = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        for place in [Endpoint(.v4(0xC0A8_0102), port: 5351), Self.gateway.with(port: 53)] {
            #expect(stage.mapper.refused(by: place, at: .zero) == [.ignored(.stranger(place))])
        }
        stage.run(for: .milliseconds(400))
        #expect(stage.told.allSatisfy { if case .failed = $0 { false } else { true } })
    }

    @Test func aLeaseThatRunsOutIsToldAndAskedForAgain() {
        var stage = Stage()
        stage.gateway.lifetime = 300
        let id = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .seconds(10))
        (stage.gateway.speaksPCP, stage.gateway.speaksNATPMP) = (false, false)
        stage.run(for: .seconds(400))
        #expect(stage.told.contains(.lost(id)) && stage.mapper.mappings.isEmpty)
        stage.gateway.speaksPCP = true
        stage.run(for: .seconds(600))
        #expect(stage.mapper.mappings.count == 1)
    }

    @Test func anotherNATBehindTheGatewayIsSeen() {
        var stage = Stage()
        stage.gateway.external = Endpoint(.v4(0x6440_0102), port: 0)
        _ = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .seconds(1))
        #expect(stage.mapped.map(\.isBehindAnotherNAT) == [true])
    }

    @Test func otherPortsThanTheWishedAreTaken() {
        var stage = Stage()
        stage.gateway.portShift = 100
        _ = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .seconds(1))
        #expect(stage.mapped.map(\.external.port) == [10_000])
    }

    @Test func holesInAFirewallForIPv6AreOpenedByPCP() {
        let own = IPAddress.v6(high: 0x2001_0DB8_000A_0000, low: 0x10)
        var stage = Stage(client: own)
        stage.gateway.external = Endpoint(own, port: 0)
        _ = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .seconds(1))
        #expect(stage.mapped.map(\.external) == [Endpoint(own, port: 9900)])
        #expect(stage.gateway.requests == 2)
    }

    @Test func aMappingThatMayNotBeEndedIsMadeToRunOut() {
        var stage = Stage()
        stage.gateway.endsMappings = false
        _ = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .seconds(1))
        #expect(stage.gateway.isMapped(.udp, 9900, at: stage.now))
        stage.take(stage.mapper.close(at: stage.now))
        stage.run(for: .milliseconds(500))
        #expect(stage.told.last == .closed)
        stage.run(for: .milliseconds(600))
        #expect(!stage.gateway.isMapped(.udp, 9900, at: stage.now))
    }

    // MARK: Hostile

    @Test func onlyTheGatewayCounts() {
        var stage = Stage()
        _ = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        let answer = PCPResponse(result: .success, seconds: 0, epoch: 5, content: .announce).bytes
        let strangers = [Endpoint(.v4(0xC0A8_0102), port: 5351), PortMapperTests.gateway.with(port: 4)]
        for stranger in strangers {
            #expect(stage.mapper.receive(answer, from: stranger, at: .zero) == [.ignored(.stranger(stranger))])
        }
        #expect(stage.mapper.receive([], from: Self.gateway, at: .zero).count == 1)
    }

    @Test func mappingsAreBounded() {
        var stage = Stage()
        stage.take(stage.mapper.start(at: .zero))
        for port: UInt16 in 1...100 { _ = stage.add(port: port) }
        stage.run(for: .seconds(2))
        #expect(stage.told.count { if case .failed(_, .overLimit) = $0 { true } else { false } } == 68)
        #expect(stage.mapper.mappings.count == 32)
        _ = stage.add(port: 1)
        #expect(stage.told.contains { if case .failed(_, .overLimit) = $0 { true } else { false } })
    }

    @Test func aGatewayThatForgetsAllTheTimeCausesLittleTraffic() {
        var stage = Stage()
        stage.take(stage.mapper.start(at: .zero))
        for port: UInt16 in 1...32 { _ = stage.add(port: port) }
        stage.run(for: .seconds(1))
        let before = stage.gateway.requests
        for number in 0..<1000 as Range<UInt32> {
            let answer = PCPResponse(
                result: .success, seconds: 0, epoch: number.isMultiple(of: 2) ? 0 : 90_000, content: .announce)
            let source = Self.gateway.with(port: 5351)
            stage.take(stage.mapper.receive(answer.bytes, from: source, at: stage.now))
        }
        stage.run(for: .seconds(1))
        #expect(stage.gateway.requests - before <= 64)
    }

    @Test func aLeaseOfNothingCausesLittleTraffic() {
        var stage = Stage()
        stage.gateway.lifetime = 1
        _ = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .seconds(600))
        #expect(stage.gateway.requests < 260, "\(stage.gateway.requests) requests in ten minutes")
    }

    @Test(arguments: 0..<32 as Range<UInt64>) func mutatedAnswersNeverTrap(_ seed: UInt64) throws {
        var random = RandomSource.seeded(seed)
        var stage = Stage(seed: seed)
        _ = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .seconds(1))
        let all: GatewayMessageTests.Conversation = try TestVectors.json("ice/nat-pmp-pcp-miniupnpd.json")
        let samples = all.exchange.map { hex($0.response) }
        for _ in 0..<200 {
            let bytes = mutated(samples.randomElement(using: &random) ?? [], &random)
            stage.take(stage.mapper.receive(bytes, from: Self.gateway.with(port: 5351), at: stage.now))
            stage.run(for: .milliseconds(Int64.random(in: 0...2000, using: &random)))
        }
        stage.run(for: .seconds(4000))
        #expect(stage.mapper.mappings.count == 1)
    }
}
