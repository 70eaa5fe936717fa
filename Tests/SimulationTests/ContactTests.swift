import SansIO
import SecureChannel
import Simulator
import Swiftlet
import TestIdentities
import Testing

/// How accounts become contacts, and who may reach whom.
@Suite struct ContactTests {
    /// Alice and Bob, who only wants to hear of contacts.
    private func shyBob(seed: UInt64, _ kind: PeerKind = .swiftlet) throws -> Parties {
        try Parties(
            Scenario.Setting(seed: seed, link: EndingTests.lossy), alice: [.tcp, .udp], { _ in },
            bob: kind.transports,
            {
                kind.adjust(&$0)
                $0.acceptsStrangers = false
            })
    }

    private func become(contacts parties: Parties) throws {
        let (alice, bob) = (parties.alice.identity.accountID, parties.bob.identity.accountID)
        parties.alice.addContact(bob)
        try parties.scenario.wait(for: "request", within: .seconds(30)) {
            parties.bob.contactRequests.map(\.id) == [alice]
        }
        #expect(parties.bob.contactRequests[0].profile.contains("FN:alice"))
        parties.bob.addContact(alice)
        try parties.scenario.wait(for: "confirmation", within: .seconds(30)) {
            parties.alice.time { $0 == .contactConfirmed(bob) } != nil
        }
        #expect(parties.alice.contacts[bob]?.isConfirmed == true)
        #expect(parties.bob.contacts[alice]?.isConfirmed == true)
    }

    @Test func strangersAreNotAnswered() throws {
        let parties = try shyBob(seed: 801)
        let call = parties.alice.call(parties.bob.identity.accountID)
        try parties.scenario.wait(for: "end", within: .seconds(60)) { parties.alice.end(of: call) != nil }
        #expect(parties.alice.end(of: call) == .noReply)
        #expect(parties.bob.time { if case .requestReceived = $0 { true } else { false } } == nil)
    }

    @Test(arguments: [PeerKind.swiftlet, .debian, .today]) func contactsAreAnswered(kind: PeerKind) throws {
        let parties = try shyBob(seed: 802, kind)
        try become(contacts: parties)
        let calls = try parties.talk()
        parties.alice.hangUp(calls.alices)
        try parties.waitForEnd(of: calls)
    }

    @Test func whoWasCalledMayCallBack() throws {
        let parties = try shyBob(seed: 803)
        let call = parties.bob.call(parties.alice.identity.accountID)
        try parties.scenario.wait(for: "ring", within: .seconds(30)) { !parties.alice.incomingCalls.isEmpty }
        parties.bob.hangUp(call)
        _ = try parties.ring()
    }

    @Test func theBannedAreCutOff() throws {
        let parties = try Parties(EndingTests.setting(804))
        let calls = try parties.talk()
        parties.bob.removeContact(parties.alice.identity.accountID, banning: true)
        try parties.waitForEnd(of: calls)
        let again = parties.alice.call(parties.bob.identity.accountID)
        try parties.scenario.wait(for: "end", within: .seconds(60)) { parties.alice.end(of: again) != nil }
        #expect(parties.alice.end(of: again) == .noReply)
        #expect(parties.bob.incomingCalls.count == 1)
        parties.alice.addContact(parties.bob.identity.accountID)
        try parties.scenario.run(for: .seconds(20))
        #expect(parties.bob.contactRequests.isEmpty)
    }

    @Test func twoWhoAskEachOtherAgree() throws {
        let parties = try Parties(EndingTests.setting(805))
        let (alice, bob) = (parties.alice.identity.accountID, parties.bob.identity.accountID)
        parties.alice.addContact(bob)
        parties.bob.addContact(alice)
        try parties.scenario.wait(for: "agreement", within: .seconds(30)) {
            parties.alice.contacts[bob]?.isConfirmed == true && parties.bob.contacts[alice]?.isConfirmed == true
        }
    }

    /// Who is away when asked finds the request when it comes; presence tells both times.
    @Test func aRequestWaitsForItsReader() throws {
        let scenario = Scenario(EndingTests.setting(806))
        let alice = try scenario.addNode("alice", Identities.alice)
        try scenario.waitUntilAnnounced(alice)
        let bobsID = Identities.bob.accountID
        alice.addContact(bobsID)
        try scenario.run(for: .seconds(60))
        let bob = try scenario.addNode("bob", Identities.bob)
        try scenario.wait(for: "request", within: .seconds(60)) { !bob.contactRequests.isEmpty }
        #expect(alice.time { $0 == .presence(bobsID, isOnline: true) } != nil)
        scenario.world.setReachable(false, bob.hostID)
        try scenario.wait(for: "absence", within: .seconds(900)) {
            alice.time { $0 == .presence(bobsID, isOnline: false) } != nil
        }
    }

    @Test func contactsOutliveTheNode() throws {
        let parties = try shyBob(seed: 807)
        try become(contacts: parties)
        parties.bob.restart(through: parties.scenario.contacts)
        try parties.scenario.waitUntilAnnounced(parties.bob)
        _ = try parties.ring()
        #expect(parties.bob.contactRequests.isEmpty, "what was agreed on is not asked again")
    }
}

extension NodeHost {
    /// The accounts that want to be contacts.
    var contactRequests: [(id: AccountID, profile: String)] {
        moments.compactMap { moment in
            guard case .contactRequested(let id, let profile) = moment.event else { return nil }
            return (id, profile)
        }
    }
}
