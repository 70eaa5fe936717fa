import SecureChannel
import SwiftDHT
import SwiftICE
import Testing

@testable import Swiftlet

@Suite struct BoundedSetTests {
    @Test func aMemberIsNewOnce() {
        #expect(news(of: [1, 1], limit: 3) == [true, false])
    }

    /// Which members are new as they come.
    private func news(of members: [Int], limit: Int) -> [Bool] {
        var set = BoundedSet<Int>(limit: limit)
        return members.map { set.insert($0) }
    }

    @Test func theOldestMembersAreForgotten() {
        let news = news(of: [1, 2, 3, 4, 5, 3, 4, 5, 1, 3], limit: 3)
        #expect(news.suffix(5) == [false, false, false, true, true], "1 was forgotten, and for it 3 was")
    }

    @Test func aLimitOfNothingStillHoldsOne() {
        #expect(news(of: [1, 1], limit: 0) == [true, false])
    }
}

@Suite struct BoundedStackTests {
    @Test func theNewestComesFirstAndTheOldestAreForgotten() {
        var stack = BoundedStack<Int>()
        #expect((1...5).map { stack.push($0, limit: 3) } == [false, false, false, true, true])
        #expect((1...4).map { _ in stack.pop() } == [5, 4, 3, nil])
    }
}

@Suite struct RequestInboxTests {
    private let sender = ShortID(decoding: [UInt8](repeating: 7, count: 20))!
    private let stranger = ShortID(decoding: [UInt8](repeating: 8, count: 20))!

    private static let key = Result { try PrivateKey.generate(bits: 2048).publicKey }

    private func request(_ id: UInt64) throws -> Mail {
        let credentials = try #require(Credentials(fragment: "12345678", password: "123456789012345678901234"))
        let description = SwiftICE.SessionDescription(credentials: credentials, candidates: [])
        return .link(
            LinkRequest(
                ConnectionRequest(id: id, session: description, isAnswer: false, connectionType: ""),
                from: try Self.key.get(), in: .shortID))
    }

    @Test func requestsOfEarlierRunsAreTreatedAlready() {
        var inbox = RequestInbox(treated: [1, 2], limit: 10)
        let news = [1, 2, 3, 3].map { inbox.treat($0) }
        #expect(news == [false, false, true, false])
    }

    @Test func valuesAndRequestsAreCountedApart() {
        var inbox = RequestInbox(treated: [1], limit: 10)
        let news = [1, 1].map { inbox.see(Value.ID($0)) }
        #expect(news == [true, false])
    }

    @Test func onlyTheFirstRequestOfASenderAsksForItsCertificate() throws {
        var inbox = RequestInbox(treated: [], limit: 10)
        let asked = try [(request(1), sender), (request(2), sender), (request(3), stranger)].map {
            inbox.hold($0.0, from: $0.1)
        }
        #expect(asked == [true, false, true])
        #expect(inbox.waitingCount == 2)
        #expect(inbox.holds(sender))
        let released = inbox.release(sender).compactMap(\.requestID)
        #expect(released == [1, 2])
        #expect(!inbox.holds(sender))
        #expect(inbox.waitingCount == 1)
    }

    @Test func aSenderCannotFillTheInbox() throws {
        var inbox = RequestInbox(treated: [], limit: 10)
        for id in UInt64(1)...100 { _ = inbox.hold(try request(id), from: sender) }
        let kept = inbox.release(sender).compactMap(\.requestID)
        #expect(kept == [1, 2, 3, 4])
    }
}

extension Mail {
    fileprivate var requestID: UInt64? {
        guard case .link(let request) = self else { return nil }
        return request.id
    }
}
