import SansIO
import Simulator
import SwiftDHT
import Swiftlet
import TestIdentities
import Testing

/// How soon a node that enters is known to others.
@Suite struct AnnouncingTests {
    /// The time from the start of a node to its announcement, where the last `dead` of thirty nodes have just died.
    private func time(seed: UInt64, delay: ClosedRange<Duration>, dead: Int) throws -> Duration {
        var setting = Scenario.Setting(seed: seed)
        setting.dhtNodeCount = 30
        setting.link.delay = delay
        let scenario = Scenario(setting)
        for index in 30 - dead..<30 { scenario.world.setReachable(false, HostID(rawValue: index)) }
        let start = scenario.world.now
        try scenario.waitUntilAnnounced(try scenario.addNode("newcomer", Identities.alice))
        return start.duration(to: scenario.world.now)
    }

    @Test(arguments: [UInt64(1), 2, 4, 5, 6])
    func deadNeighboursDelayAnAnnouncementByOneWaitAtMost(seed: UInt64) throws {
        let delays: [ClosedRange<Duration>] = [
            .milliseconds(1)...(.milliseconds(20)), .milliseconds(10)...(.milliseconds(120)),
        ]
        for delay in delays {
            let undisturbed = try time(seed: seed, delay: delay, dead: 0)
            for dead in [8, 12] {
                let disturbed = try time(seed: seed, delay: delay, dead: dead)
                let longest = SwiftDHT.Configuration().longestWait
                #expect(disturbed < undisturbed + longest, "\(dead) dead: \(undisturbed), then \(disturbed)")
            }
        }
    }
}
