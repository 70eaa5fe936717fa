import SansIO
import SwiftICE
import Testing

struct RelayRaceTests {
    /// Several servers, each at an address and some distance away, in virtual time.
    private struct Stage {
        struct Place {
            var server = SimulatedTURNServer()
            var delay = Duration.milliseconds(20)
            var isSilent = false
        }

        var race: RelayRace
        var places: [Endpoint: Place] = [:]
        var names: [String: [Endpoint]] = [:]
        var now = Instant.zero
        var told: [RelayRace.Effect] = []
        var opened: [Endpoint] = []
        private var legs: [RelayRace.LegID: Endpoint] = [:]
        private var line: [(at: Instant, bytes: [UInt8], leg: RelayRace.LegID, isForServer: Bool)] = []

        init(_ race: RelayRace) { self.race = race }

        mutating func take(_ effects: [RelayRace.Effect]) {
            for effect in effects {
                switch effect {
                case .open(let id, _, let endpoint, _):
                    legs[id] = endpoint
                    opened.append(endpoint)
                    take(race.opened(id, at: now))
                case .close(let id): legs[id] = nil
                case .send(let bytes, let id):
                    guard let endpoint = legs[id], let place = places[endpoint], !place.isSilent else { continue }
                    line.append((now.advanced(by: place.delay), bytes, id, true))
                case .resolve(let number, .name(let name), _):
                    take(race.resolved(number, names[name] ?? [], at: now))
                default: told.append(effect)
                }
            }
        }

        mutating func run(for duration: Duration) {
            let end = now.advanced(by: duration)
            while true {
                let arrival = line.map(\.at).min() ?? .init(nanoseconds: .max)
                let next = min(arrival, race.deadline ?? .init(nanoseconds: .max))
                guard next <= end else { break }
                now = max(now, next)
                guard arrival <= next, let index = line.firstIndex(where: { $0.at == arrival }) else {
                    take(race.advance(to: now))
                    continue
                }
                let packet = line.remove(at: index)
                guard let endpoint = legs[packet.leg] else { continue }
                guard packet.isForServer else {
                    take(race.receive(packet.bytes, on: packet.leg, at: now))
                    continue
                }
                let answers = places[endpoint]?.server.receive(packet.bytes, at: now) ?? []
                let back = now.advanced(by: places[endpoint]?.delay ?? .zero)
                for answer in answers { line.append((back, answer, packet.leg, false)) }
            }
            now = end
        }

        var selected: [Int] {
            told.compactMap { if case .selected(_, let number, _) = $0 { number } else { nil } }
        }
    }

    private static func endpoint(_ number: UInt32) -> Endpoint { Endpoint(.v4(0x1400_0000 + number), port: 3478) }

    private static func server(_ number: UInt32) -> TURNServer {
        TURNServer(.address(endpoint(number).address), username: "user", password: "pass")
    }

    private func stage(_ servers: [TURNServer], silent: Set<UInt32> = []) -> Stage {
        var stage = Stage(RelayRace(servers: servers, random: .seeded(8)))
        for number: UInt32 in 1...8 {
            stage.places[Self.endpoint(number)] = Stage.Place(isSilent: silent.contains(number))
        }
        return stage
    }

    @Test func theFirstServerThatAnswersWinsAndTheOthersAreGivenBack() {
        var stage = stage([Self.server(1), Self.server(2)])
        stage.places[Self.endpoint(1)]?.delay = .milliseconds(400)
        stage.take(stage.race.start(at: .zero))
        stage.run(for: .milliseconds(250))
        #expect(stage.selected == [1])
        stage.run(for: .seconds(5))
        #expect(stage.selected == [1])
        #expect(stage.places[Self.endpoint(1)]?.server.isAllocated == false)
        #expect(stage.places[Self.endpoint(2)]?.server.isAllocated == true)
    }

    @Test func aSecondServerIsNotAskedWhileTheFirstIsQuick() {
        var stage = stage([Self.server(1), Self.server(2)])
        stage.take(stage.race.start(at: .zero))
        stage.run(for: .seconds(5))
        #expect(stage.selected == [0] && stage.opened == [Self.endpoint(1)])
    }

    @Test func aLostRelayIsReplacedAndPermissionsComeAlong() {
        var stage = stage([Self.server(1), Self.server(2)])
        stage.take(stage.race.permit(.v4(0x1500_0001), at: .zero))
        stage.take(stage.race.start(at: .zero))
        stage.run(for: .seconds(1))
        #expect(stage.selected == [0])
        stage.places[Self.endpoint(1)]?.isSilent = true
        stage.run(for: .seconds(620))
        #expect(stage.selected == [0, 1])
        #expect(stage.told.contains(.lost(.lost)))
        #expect(stage.places[Self.endpoint(2)]?.server.isPermitted(.v4(0x1500_0001), at: stage.now) == true)
    }

    @Test func namesAreResolvedAndFamiliesTakeTurns() {
        var stage = stage([TURNServer(.name("turn.example"), username: "user", password: "pass")], silent: [1, 2])
        let six = Endpoint(.v6(high: 0x2001_0DB8 << 32, low: 7), port: 3478)
        stage.places[six] = Stage.Place()
        stage.names["turn.example"] = [Self.endpoint(1), Self.endpoint(2), six]
        stage.take(stage.race.start(at: .zero))
        stage.run(for: .seconds(2))
        #expect(stage.opened == [Self.endpoint(1), six])
        #expect(stage.selected == [0])
    }

    @Test func withoutAnyServerTheSearchIsRepeatedLater() {
        var stage = stage([Self.server(1), TURNServer(.name("nowhere"), username: "", password: "")], silent: [1])
        stage.take(stage.race.start(at: .zero))
        stage.run(for: .seconds(41))
        #expect(stage.told == [.failed(.refused(.noAnswer))])
        stage.places[Self.endpoint(1)]?.isSilent = false
        stage.run(for: .seconds(10))
        #expect(stage.selected == [0])
    }

    @Test func redirectionsAreFollowedButNotInCircles() {
        var stage = stage([Self.server(1)])
        for number: UInt32 in 1...3 {
            stage.places[Self.endpoint(number)]?.server.refusals[.allocate] = Array(repeating: .tryAlternate, count: 9)
            stage.places[Self.endpoint(number)]?.server.alternate = Self.endpoint(number % 3 + 1)
        }
        stage.take(stage.race.start(at: .zero))
        stage.run(for: .seconds(4))
        #expect(stage.opened == [Self.endpoint(1), Self.endpoint(2), Self.endpoint(3)])
        #expect(stage.told == [.failed(.refused(.redirected(to: Self.endpoint(1))))])
        // A server that does serve.
        stage.places[Self.endpoint(3)]?.server.alternate = Self.endpoint(4)
        stage.run(for: .seconds(4))
        #expect(stage.selected == [0] && stage.opened.last == Self.endpoint(4))
    }

    @Test func aTakenPortIsChangedOnce() {
        var stage = stage([Self.server(1)])
        stage.places[Self.endpoint(1)]?.server.refusals[.allocate] = [.allocationMismatch]
        stage.take(stage.race.start(at: .zero))
        stage.run(for: .seconds(1))
        #expect(stage.selected == [0] && stage.opened.count == 2)
    }

    @Test func closingGivesTheRelayBack() {
        var stage = stage([Self.server(1)])
        stage.take(stage.race.start(at: .zero))
        stage.run(for: .seconds(1))
        stage.take(stage.race.close(at: stage.now))
        stage.run(for: .seconds(1))
        #expect(stage.told.last == .closed)
        #expect(stage.places[Self.endpoint(1)]?.server.isAllocated == false)
        #expect(stage.race.deadline == nil)
    }

    @Test func closingDoesNotWaitForSilentServers() {
        var stage = stage([Self.server(1), Self.server(2)], silent: [1, 2])
        stage.take(stage.race.start(at: .zero))
        stage.run(for: .seconds(1))
        stage.take(stage.race.close(at: stage.now))
        stage.run(for: .seconds(3))
        #expect(stage.told.last == .closed)
    }
}
