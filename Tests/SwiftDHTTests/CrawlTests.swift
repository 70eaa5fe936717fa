import SansIO
import SwiftDHT
import Testing

@Suite("Crawl")
struct CrawlTests {
    private struct Census {
        var found: [Crawl.Node] = []
        var summary: Crawl.Summary?
        var requestTimes: [Instant] = []
        var took = Duration.zero
    }

    /// Crawls a network of `World` from its first node, in the crawler's own virtual time.
    private static func crawl(_ world: inout World, _ configuration: Crawl.Configuration = .init()) -> Census {
        var census = Census()
        let ourselves = Endpoint(.v4(0x0B00_0001), port: 4000)
        var machine = Crawl(configuration: configuration, random: .seeded(5))
        var now = world.now
        var effects = machine.start(with: [World.endpoint(0)], at: now)
        var steps = 0
        while steps < 200_000 {
            steps += 1
            var answers: [(bytes: [UInt8], source: Endpoint)] = []
            var refusals: [Endpoint] = []
            for effect in effects {
                switch effect {
                case .send(let bytes, let target):
                    if case .request? = (try? Packet(decoding: bytes))?.message { census.requestTimes.append(now) }
                    guard case .v4(let word) = target.address else { continue }
                    let index = Int(word - 0x0A00_0001)
                    if world.refusesForTheDead, world.dead.contains(index) { refusals.append(target) }
                    guard world.nodes.indices.contains(index), !world.dead.contains(index) else { continue }
                    for case .send(let reply, ourselves) in world.nodes[index].receive(
                        bytes.span, from: ourselves, at: now)
                    {
                        answers.append((reply, target))
                    }
                case .found(let node): census.found.append(node)
                case .finished(let summary): census.summary = summary
                case .ignored: break
                }
            }
            effects = []
            for answer in answers { effects += machine.receive(answer.bytes.span, from: answer.source, at: now) }
            for endpoint in refusals { effects += machine.refused(by: endpoint, at: now) }
            guard effects.isEmpty else { continue }
            guard census.summary == nil, let next = machine.deadline else { break }
            now = max(now, next)
            effects = machine.advance(to: now)
        }
        census.took = world.now.duration(to: now)
        return census
    }

    @Test("Every node of a network is found once, with its software", arguments: [1, 2, 9, 120])
    func everybody(count: Int) throws {
        var world = World(seed: UInt64(count))
        world.grow(to: count)
        let census = Self.crawl(&world)
        #expect(Set(census.found.map(\.node.id)) == Set(world.nodes.map(\.nodeID)))
        #expect(census.found.count == count && census.found.allSatisfy { $0.agent == Configuration().agent })
        let summary = try #require(census.summary)
        #expect(summary.answering == count && summary.silent == 0 && summary.unasked == 0)
        #expect(summary.requests == census.requestTimes.count)
        guard count > 100 else { return }
        let estimate = try #require(summary.estimate[.v4])
        #expect((60...240).contains(estimate), "\(estimate) of \(count)")
    }

    @Test(
        "The dead are counted, asked no more often than the rest, and not waited for where they refuse",
        arguments: [false, true])
    func silence(refuses: Bool) throws {
        var world = World(seed: 3)
        world.grow(to: 40)
        world.dead = [5, 6, 7, 8]
        world.refusesForTheDead = refuses
        let census = Self.crawl(&world)
        let summary = try #require(census.summary)
        #expect(summary.answering == 36 && summary.silent == 4)
        let patience = Crawl.Configuration().patience
        #expect(refuses ? census.took < patience : census.took > patience)
    }

    @Test("No second sees more requests than allowed, and no more nodes are asked than allowed")
    func politeness() throws {
        var world = World(seed: 4)
        world.grow(to: 60)
        var configuration = Crawl.Configuration()
        configuration.requestsPerSecond = 20
        configuration.nodeLimit = 25
        let census = Self.crawl(&world, configuration)
        #expect(census.found.count <= 25 && (census.summary?.unasked ?? 0) > 0)
        for (first, last) in zip(census.requestTimes, census.requestTimes.dropFirst(20)) {
            #expect(first.duration(to: last) >= .seconds(1))
        }
        // Crawlers are clients: nobody learns of them.
        #expect(
            world.nodes.allSatisfy { node in
                node.snapshot(at: world.now).networks.allSatisfy { $0.knownNodes < 60 }
            })
    }
}
