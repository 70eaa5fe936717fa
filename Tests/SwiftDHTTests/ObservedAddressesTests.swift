import SansIO
import Testing

@testable import SwiftDHT

/// Which of our addresses is believed.
@Suite struct ObservedAddressesTests {
    private let mine = IPAddress.v4(0x0B00_0001)
    private let other = IPAddress.v4(0x0B00_0002)

    private func host(_ number: UInt32) -> IPAddress { .v4(0x5000_0000 + number << 8) }

    @Test func whoSpeaksOftenHasOneVote() {
        var observed = ObservedAddresses()
        #expect(observed.count(mine, by: host(1), limit: 32) == mine)
        #expect(observed.count(mine, by: host(2), limit: 32) == nil)
        for _ in 0..<10 { #expect(observed.count(other, by: host(3), limit: 32) == nil) }
        #expect(observed.count(other, by: host(4), limit: 32) == nil)
        #expect(observed.count(other, by: host(5), limit: 32) == other)
    }

    @Test func hostsOfOnePrefixHaveOneVote() {
        var observed = ObservedAddresses()
        _ = observed.count(mine, by: host(1), limit: 32)
        _ = observed.count(mine, by: host(2), limit: 32)
        for number in UInt32(1)..<250 {
            #expect(observed.count(other, by: .v4(0x5100_0000 + number), limit: 32) == nil)
        }
    }

    @Test func whoSaysSomethingElseTakesItsVoteBack() {
        var observed = ObservedAddresses()
        for number in UInt32(1)...3 { _ = observed.count(mine, by: host(number), limit: 32) }
        #expect(observed.count(other, by: host(1), limit: 32) == nil)
        #expect(observed.count(other, by: host(2), limit: 32) == other)
    }

    @Test func familiesAreJudgedApart() {
        var observed = ObservedAddresses()
        let sixth = IPAddress.v6(high: 0x2001_0DB8 << 32, low: 1)
        #expect(observed.count(mine, by: host(1), limit: 32) == mine)
        #expect(observed.count(sixth, by: .v6(high: 0x2001_0DB9 << 32, low: 1), limit: 32) == sixth)
        #expect(observed.count(mine, by: host(2), limit: 32) == nil)
    }

    @Test func onlyTheLatestReportersCount() {
        var observed = ObservedAddresses()
        for number in UInt32(1)...4 { _ = observed.count(mine, by: host(number), limit: 4) }
        #expect(observed.count(other, by: host(11), limit: 4) == nil)
        #expect(observed.count(other, by: host(12), limit: 4) == nil)
        #expect(observed.count(other, by: host(13), limit: 4) == other)
    }

    @Test func aChangeOfNetworkForgetsWhatWasSaid() {
        var observed = ObservedAddresses()
        _ = observed.count(mine, by: host(1), limit: 32)
        observed.reset()
        #expect(observed.count(other, by: host(2), limit: 32) == other)
    }
}
