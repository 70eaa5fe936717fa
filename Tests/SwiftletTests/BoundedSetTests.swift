import SecureChannel
import SwiftDHT
import Testing

@testable import Swiftlet

@Suite struct BoundedSetTests {
    @Test func aMemberIsNewOnce() {
        var set = BoundedSet<Int>(limit: 3)
        #expect(set.insert(1))
        #expect(!set.insert(1))
    }

    @Test func theOldestMembersAreForgotten() {
        var set = BoundedSet<Int>(limit: 3)
        for number in 1...5 { _ = set.insert(number) }
        #expect(!set.insert(3) && !set.insert(4) && !set.insert(5))
        #expect(set.insert(1), "1 was forgotten, and now 3 is")
        #expect(set.insert(3))
    }

    @Test func aLimitOfNothingStillHoldsOne() {
        var set = BoundedSet<Int>(limit: 0)
        #expect(set.insert(1))
        #expect(!set.insert(1))
    }
}

@Suite struct RequestInboxTests {
    private let sender = ShortID(decoding: [UInt8](repeating: 7, count: 20))!
    private let stranger = ShortID(decoding: [UInt8](repeating: 8, count: 20))!

    private func request(_ id: UInt64) -> CallRequest { CallRequest(id: id, descriptions: [1, 2, 3]) }

    @Test func requestsOfEarlierRunsAreTreatedAlready() {
        var inbox = RequestInbox(treated: [1, 2], limit: 10)
        #expect(!inbox.treat(1))
        #expect(!inbox.treat(2))
        #expect(inbox.treat(3))
        #expect(!inbox.treat(3))
    }

    @Test func valuesAndRequestsAreCountedApart() {
        var inbox = RequestInbox(treated: [1], limit: 10)
        #expect(inbox.see(Value.ID(1)))
        #expect(!inbox.see(Value.ID(1)))
    }

    @Test func onlyTheFirstRequestOfASenderAsksForItsCertificate() {
        var inbox = RequestInbox(treated: [], limit: 10)
        #expect(inbox.hold(request(1), from: sender))
        #expect(!inbox.hold(request(2), from: sender))
        #expect(inbox.hold(request(3), from: stranger))
        #expect(inbox.waitingCount == 2)
        #expect(inbox.holds(sender))
        #expect(inbox.release(sender).map(\.id) == [1, 2])
        #expect(!inbox.holds(sender))
        #expect(inbox.release(sender).isEmpty)
        #expect(inbox.waitingCount == 1)
    }

    @Test func aSenderCannotFillTheInbox() {
        var inbox = RequestInbox(treated: [], limit: 10)
        for id in UInt64(1)...100 { _ = inbox.hold(request(id), from: sender) }
        #expect(inbox.release(sender).map(\.id) == [1, 2, 3, 4])
    }
}
