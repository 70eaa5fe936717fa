import Foundation
import SansIO
import SwiftICE
import TestVectors
import Testing

/// The mapper against a recorded conversation with miniupnpd, and against gateways with habits.
struct IGDTests {
    struct Exchange: Decodable { let note, request, response: String }
    struct Conversation: Decodable { let exchange: [Exchange] }

    static func recorded() throws -> [String: String] {
        let all: Conversation = try TestVectors.json("ice/upnp-igd-miniupnpd.json")
        return Dictionary(all.exchange.map { ($0.request, $0.response) }, uniquingKeysWith: { first, _ in first })
    }

    private func stage(_ overrides: @escaping @Sendable (String) -> String? = { _ in nil }) throws
        -> PortMapperTests.Stage
    {
        let recorded = try Self.recorded()
        var configuration = PortMapper.Configuration()
        configuration.description = "lab"
        var stage = PortMapperTests.Stage()
        stage.mapper = PortMapper(
            client: PortMapperTests.client, gateway: PortMapperTests.gateway, configuration: configuration,
            random: .seeded(2))
        (stage.gateway.speaksPCP, stage.gateway.speaksNATPMP) = (false, false)
        stage.answer = { recorded[$0] }
        stage.serve = { overrides($0) ?? recorded[$0] }
        return stage
    }

    private static func fault(_ code: Int) -> String {
        let body =
            "<s:Envelope xmlns:s='x'><s:Body><s:Fault><detail><UPnPError><errorCode>\(code)</errorCode>"
            + "</UPnPError></detail></s:Fault></s:Body></s:Envelope>"
        return "HTTP/1.1 500 No\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    @Test func everyRequestIsThatOfTheRecording() throws {
        var stage = try stage()
        _ = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .seconds(1))
        #expect(stage.mapped.map(\.method) == [.igd])
        #expect(stage.mapped.first?.external == Endpoint(.v4(0x1400_0102), port: 9900))
        #expect(stage.mapped.first?.lifetime == .seconds(7200))
        stage.take(stage.mapper.close(at: stage.now))
        stage.run(for: .seconds(1))
        #expect(stage.told.last == .closed)
        // A request that differs in one byte would have had no answer.
        let recorded = try Self.recorded()
        #expect(stage.requested.count == 6 && stage.requested.allSatisfy { recorded[$0] != nil })
    }

    /// Some gateways hear the multicast search only.
    @Test func aGatewayThatRefusesTheSearchMayStillAnswerIt() throws {
        var stage = try stage()
        let id = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        for port: UInt16 in [5351, 1900] {
            stage.take(stage.mapper.refused(by: PortMapperTests.gateway.with(port: port), at: .zero))
        }
        #expect(stage.told == [.failed(id, .noGateway)])
        stage.run(for: .seconds(1))
        #expect(stage.mapped.map(\.method) == [.igd])
        stage.run(for: .seconds(36_000))
        #expect(stage.mapper.mappings.count == 1 && stage.mapped.count == 1, "and nothing is probed again")
    }

    @Test func leasesAreRenewedAtHalf() throws {
        var stage = try stage()
        _ = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .seconds(36_000))
        #expect(stage.requested.count { $0.contains("#AddPortMapping") } == 10)
        #expect(stage.mapped.count == 1)
    }

    @Test func permanentLeasesAreTakenWhereThereAreNoOthers() throws {
        var stage = try stage { request in
            guard request.contains("#AddPortMapping") else { return nil }
            return request.contains("<NewLeaseDuration>0<") ? Self.added : Self.fault(725)
        }
        _ = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .seconds(1))
        #expect(stage.mapped.map(\.lifetime) == [nil])
        stage.run(for: .seconds(20_000))
        #expect(stage.mapper.mappings.count == 1)
    }

    private static let added: String = {
        let body = "<e:Envelope xmlns:e='x'><e:Body><u:AddPortMappingResponse xmlns:u='y'/></e:Body></e:Envelope>"
        return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "\(String(body.utf8.count, radix: 16));x=y\r\n\(body)\r\n0\r\n\r\n"
    }()

    @Test func aTakenPortIsLeftToTheGatewayToReplace() throws {
        var stage = try stage { request in
            if request.contains("#AddPortMapping") { return Self.fault(718) }
            guard request.contains("#AddAnyPortMapping") else { return nil }
            return "HTTP/1.0 200 OK\n\n<e><Body><AddAnyPortMappingResponse><NewReservedPort>4711</NewReservedPort>"
                + "</AddAnyPortMappingResponse></Body></e>"
        }
        _ = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .seconds(1))
        #expect(stage.mapped.map(\.external.port) == [4711])
    }

    @Test func refusalsEndAfterAFewTries() throws {
        var stage = try stage { $0.contains("PortMapping") ? Self.fault(729) : nil }
        let id = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .seconds(3))
        #expect(stage.told.last == .failed(id, .refused(.igd, code: 729)))
        #expect(stage.requested.count { $0.contains("#AddPortMapping") } == 5)
    }

    @Test func adviceToAskElsewhereIsNotFollowed() throws {
        let elsewhere = [
            "http://192.168.1.2:80/x", "http://evil.example/", "https://192.168.1.1/", "http://192.168.1.1:0/", "junk",
            "http://192.168.1.1:5000/a b",
        ]
        for location in elsewhere {
            var stage = try stage()
            stage.answer = { _ in "HTTP/1.1 200 OK\r\nLOCATION: \(location)\r\n\r\n" }
            _ = stage.add()
            stage.take(stage.mapper.start(at: .zero))
            stage.run(for: .seconds(3))
            #expect(stage.requested.isEmpty, "\(location)")
        }
        var stage = try stage { request in
            guard request.hasPrefix("GET") else { return nil }
            let service = "<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>"
            return "HTTP/1.1 200 OK\r\n\r\n<root><a>\(service)<controlURL>http://20.0.0.1/x</controlURL></service>"
                + "\(service)<controlURL>//20.0.0.1/x</controlURL></service></a></root>"
        }
        _ = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .seconds(3))
        #expect(stage.requested.allSatisfy { $0.hasPrefix("GET") } && !stage.requested.isEmpty)
    }

    @Test func oversizedAndEndlessAnswersAreRefused() throws {
        let answers = [
            "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: " + String(repeating: "y", count: 9000),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 2 OK\r\n\r\n", "220 smtp\r\n\r\n",
            "HTTP/1.1 200 OK\r\n" + String(repeating: "a:b\r\n", count: 80) + "\r\n",
        ]
        for answer in answers {
            var stage = try stage { _ in answer }
            _ = stage.add()
            stage.take(stage.mapper.start(at: .zero))
            stage.run(for: .seconds(5))
            #expect(stage.mapped.isEmpty && stage.requested.count == 1, "\(answer.prefix(60))")
        }
    }

    @Test func aSlowGatewayIsGivenUp() throws {
        var mapper = PortMapper(client: PortMapperTests.client, gateway: PortMapperTests.gateway, random: .seeded(1))
        let (id, _) = mapper.add(.udp, port: 9900, at: .zero)
        _ = mapper.start(at: .zero)
        let answer = Array("HTTP/1.1 200 OK\r\nLOCATION: http://192.168.1.1:5000/d\r\n\r\n".utf8)
        let source = PortMapperTests.gateway.with(port: 1900)
        guard case .connect(let connection, let endpoint) = mapper.receive(answer, from: source, at: .zero).first
        else {
            Issue.record("nothing was opened")
            return
        }
        #expect(endpoint == PortMapperTests.gateway.with(port: 5000))
        _ = mapper.connected(connection, at: .zero)
        var (now, told) = (Instant.zero, [PortMapper.Effect]())
        for second in 1...8 as ClosedRange<Int64> {
            now = .zero.advanced(by: .seconds(second))
            told += mapper.receive([UInt8(ascii: "H")], on: connection, at: now)
            told += mapper.advance(to: now)
        }
        #expect(told.contains(.close(connection)))
        #expect(told.contains(.failed(id, .noGateway)))
    }

    @Test func aMappingThatIsBeingAskedForIsGivenBackAllTheSame() throws {
        let recorded = try Self.recorded()
        var configuration = PortMapper.Configuration()
        configuration.description = "lab"
        var mapper = PortMapper(
            client: PortMapperTests.client, gateway: PortMapperTests.gateway, configuration: configuration,
            random: .seeded(1))
        _ = mapper.add(.udp, port: 9900, at: .zero)
        var (actions, held, told) = ([String](), [(PortMapper.ConnectionID, String)](), [PortMapper.Effect]())
        func take(_ effects: [PortMapper.Effect]) {
            for effect in effects {
                switch effect {
                case .connect(let id, _): take(mapper.connected(id, at: .zero))
                case .write(let bytes, let id):
                    let request = String(decoding: bytes, as: UTF8.self)
                    actions.append(String(request.prefix { $0 != "\r\n" }))
                    guard !request.contains("#AddPortMapping") else {
                        held.append((id, request))
                        continue
                    }
                    take(mapper.receive(Array((recorded[request] ?? "").utf8), on: id, at: .zero))
                default: told.append(effect)
                }
            }
        }
        take(mapper.start(at: .zero))
        let answer = Array("HTTP/1.1 200 OK\r\nLOCATION: http://192.168.1.1:5000/rootDesc.xml\r\n\r\n".utf8)
        take(mapper.receive(answer, from: PortMapperTests.gateway.with(port: 1900), at: .zero))
        // The better ways do not answer.
        while held.isEmpty, let next = mapper.deadline { take(mapper.advance(to: next)) }
        let (id, request) = try #require(held.first)
        take(mapper.close(at: .zero))
        #expect(!told.contains(.closed))
        let before = actions.count
        take(mapper.receive(Array((recorded[request] ?? "").utf8), on: id, at: .zero))
        #expect(actions.count == before + 1 && told.last == .closed)
    }

    @Test(arguments: 0..<32 as Range<UInt64>) func mutatedAnswersNeverTrap(_ seed: UInt64) throws {
        let recorded = try Self.recorded()
        var stage = try stage { request in
            // Each request of a run has its own mutation, the same in every run.
            var random = RandomSource.seeded(seed &+ UInt64(request.utf8.count))
            guard seed % 4 != 0, let answer = recorded[request] else { return nil }
            return String(decoding: mutated(Array(answer.utf8), &random), as: UTF8.self)
        }
        _ = stage.add()
        stage.take(stage.mapper.start(at: .zero))
        stage.run(for: .seconds(20_000))
        #expect(stage.mapper.mappings.count <= 1)
    }
}
