import SansIO
import SwiftDHT
import Testing

/// Endpoints of which the network says that nobody listens there, truly or not.
@Suite struct RefusalTests {
    private let nobody = Endpoint(.v4(0x0A00_00FF), port: 4222)

    @Test func aBootstrapEndpointThatRefusesTwiceIsGivenUpWithinASecond() {
        var world = World(seed: 71)
        world.refusesForTheDead = true
        let (dead, alone) = (world.addNode(), world.addNode())
        world.dead = [dead]
        world.perform(alone) { $0.bootstrap([World.endpoint(dead)], at: $1) }
        let start = world.now
        world.run(until: start.advanced(by: .seconds(5))) { $0.nodes[alone].status(of: .v4) == .disconnected }
        #expect(world.nodes[alone].status(of: .v4) == .disconnected)
        #expect(start.duration(to: world.now) < .milliseconds(400))
    }

    /// A forged report for every request, at once, and a node that answers as slowly as it always did.
    @Test func aLivingNodeIsKeptWhateverIsSaidOfIt() {
        var world = World(seed: 72)
        world.delay = .milliseconds(20)...(.milliseconds(25))
        world.grow(to: 12)
        let before = world.nodes[11].goodNodes(.v4, limit: .max, at: world.now)
        #expect(before.count >= 8)
        for round in 0..<20 {
            world.perform(11) { $0.get(InfoHash(hashing: "\(round)"), as: OperationID(UInt64(round)), at: $1) }
            for node in before {
                for _ in 0..<5 { world.perform(11) { $0.refused(by: node.endpoint, at: $1) } }
            }
            world.run(for: .milliseconds(500))
            guard case .completed(let nodes)? = world.outcome(of: OperationID(UInt64(round)), at: 11) else {
                Issue.record("round \(round) came to nothing")
                continue
            }
            #expect(nodes >= 6, "round \(round)")
        }
        #expect(Set(world.nodes[11].goodNodes(.v4, limit: .max, at: world.now)).isSuperset(of: before))
        #expect(world.nodes[11].status(of: .v4) == .connected)
    }

    @Test func aReportOfSomebodyWhoWasNotAskedTeachesNothing() {
        var world = World(seed: 73)
        world.grow(to: 5)
        let counters = world.nodes[4].counters
        for endpoint in [World.endpoint(2), nobody] {
            world.perform(4) { $0.refused(by: endpoint, at: $1) }
            #expect(world.notes.last?.effect == .ignored(.unsolicited))
        }
        #expect(world.nodes[4].counters == counters)
        #expect(world.nodes[4].status(of: .v4) == .connected)
    }

    /// How long a node takes to know that most of its neighbours are gone, with and without reports.
    @Test(arguments: [false, true])
    func deadNodesThatRefuseAreGivenUpSoon(refuses: Bool) {
        var world = World(seed: 74)
        world.refusesForTheDead = refuses
        world.grow(to: 40)
        world.dead = Set(10..<40)
        let start = world.now
        _ = world.get(InfoHash(hashing: "who lives"), as: OperationID(1), from: 3)
        world.run(until: start.advanced(by: .milliseconds(700))) { _ in false }
        let dead = Set((10..<40).map(World.endpoint))
        let snapshot = world.nodes[3].snapshot(at: world.now)
        let members = snapshot.networks.flatMap(\.buckets).flatMap(\.nodes)
        let expired = members.count { $0.state == .expired && dead.contains($0.node.endpoint) }
        if refuses { #expect(expired >= 8) } else { #expect(expired == 0) }
    }
}
