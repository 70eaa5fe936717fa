import SansIO
import Testing

@testable import Swiftlet

/// Calls whose two ends see each other over relays, and later directly.
@Suite struct CallReachabilityTests {
    @Test func everythingFoundIsOfferedMostUsefulFirst() throws {
        let pair = CallPair.talking(overRelays: true)
        guard case .invite(_, _, _, let bytes)? = pair[.alice].sip.first else {
            Issue.record("no offer")
            return
        }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n").filter {
            $0.hasPrefix("a=candidate") && $0.contains(" 1 UDP ")
        }
        #expect(lines.map { $0.split(separator: " ")[7] } == ["host", "srflx", "relay"])
        #expect(lines.map { $0.split(separator: " ")[4] } == ["10.0.0.1", "203.0.113.1", "198.51.100.1"])
    }

    @Test(arguments: [false, true]) func aCallRunsOverARelayWhereNothingElseDoes(isSwiftlet: Bool) throws {
        let pair = CallPair.talking(isSwiftlet: isSwiftlet, renominating: isSwiftlet, overRelays: true)
        for side in CallPair.Side.allCases {
            let plan = try #require(pair[side].plans.last)
            for path in [plan.rtp, plan.rtcp] {
                #expect(path.local.address == side.relay || path.remote.address == side.other.relay)
            }
        }
        let preferred = pair[.alice].network.contains { entry in
            if case .prefer(let base, _) = entry.action { base.address == CallPair.Side.alice.relay } else { false }
        }
        let plan = try #require(pair[.alice].plans.last)
        #expect(preferred || plan.rtp.local.address != CallPair.Side.alice.relay, "a relay is told what will travel")
    }

    @Test func twoSwiftletsMoveToADirectPathThatTurnsUp() throws {
        var pair = CallPair.talking(isSwiftlet: true, renominating: true, overRelays: true)
        pair.isWalled = false
        pair.run(for: .seconds(10))
        for side in CallPair.Side.allCases {
            let plan = try #require(pair[side].plans.last)
            #expect(plan.rtp.local.address == side.address && plan.rtp.remote.address == side.other.address)
            #expect(plan.rtcp.local.address == side.address && plan.rtcp.remote.address == side.other.address)
            #expect(pair[side].gathers == [0], "it is the same session")
        }
    }

    @Test func aStockPeerStaysWhereItIs() throws {
        var pair = CallPair.talking(overRelays: true)
        let plans = pair[.alice].plans
        pair.isWalled = false
        pair.run(for: .seconds(10))
        #expect(pair[.alice].plans == plans)
    }
}
