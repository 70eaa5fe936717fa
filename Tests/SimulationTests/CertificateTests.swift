import SansIO
import Simulator
import SwiftDHT
import Swiftlet
import TestIdentities
import Testing

@testable import SecureChannel

/// What does not prove who a device is, shown by somebody who has Bob's keys to everything else.
enum FalseProof: CaseIterable, Sendable {
    case expired
    case notYetValid
    /// Signed by an account that is not Bob's.
    case foreign
    /// The signature is damaged.
    case unsigned
    /// Mallory's own, sound chain.
    case swapped

    /// Bob with these certificates.
    func identity() throws -> Identity {
        let (bob, mallory) = (Identities.bob, Identities.mallory)
        switch self {
        case .expired: return try bob.certified(from: -2, to: -1)
        case .notYetValid: return try bob.certified(from: 1, to: 2)
        case .foreign:
            let author = CertificateAuthor(notBefore: bob.chain.device.notBefore, notAfter: bob.chain.device.notAfter)
            let device = CertificateAuthor.Subject(commonName: "Jami device", key: bob.deviceKey, isAuthority: false)
            let account = CertificateAuthor.Subject(commonName: "Jami", key: mallory.accountKey, isAuthority: true)
            return try bob.with(try author.certify(device, by: account))
        case .unsigned:
            var der = bob.chain.device.der
            der[der.count - 1] ^= 1
            return try bob.with(try Certificate(der: der))
        case .swapped: return bob
        }
    }

    /// What the refusal is called.
    var reason: String {
        switch self {
        case .expired: "expired"
        case .notYetValid: "notYetValid"
        case .foreign: "wrongIssuer"
        case .unsigned: "badSignature"
        case .swapped: "unexpectedPeer"
        }
    }
}

extension Identity {
    /// The same keys, certified for these years from the time of the worlds on.
    fileprivate func certified(from first: Int64, to last: Int64) throws -> Identity {
        let now = chain.device.notBefore + (chain.device.notAfter - chain.device.notBefore) / 2
        let year: Int64 = 365 * 86_400
        // Of the ten years around the worlds' time five are over.
        return try Identity.create(
            authorityKey: #require(authorityKey), accountKey: accountKey, deviceKey: deviceKey,
            notBefore: now + first * 6 * year, notAfter: now + last * 6 * year)
    }

    /// The same keys, with another certificate of the device.
    fileprivate func with(_ device: Certificate) throws -> Identity {
        try Identity(
            authorityKey: authorityKey, accountKey: accountKey, deviceKey: deviceKey,
            chain: CertificateChain([device] + chain.certificates.dropFirst()))
    }
}

@Suite struct CertificateTests {
    /// Who calls as soon as he is in the network is known to nobody yet: his certificates are on their way as well.
    @Test(arguments: UInt64(221)...226) func aCallThatIsPlacedAtOnceRings(seed: UInt64) throws {
        let scenario = Scenario(WholeCallTests.setting(seed: seed))
        let bob = try scenario.addNode("bob", Identities.bob)
        try scenario.waitUntilAnnounced(bob)
        // Behind many NATs nobody could ask her herself.
        let alice = try scenario.addNode("alice", Identities.alice, adjusting: { $0.dht.isClient = true })
        let call = alice.call(bob.identity.accountID)
        try scenario.wait(for: "ringing", within: .seconds(5)) { !bob.incomingCalls.isEmpty }
        alice.hangUp(call)
        try scenario.waitUntilIdle()
    }

    /// The same where the way to those who keep the certificates is slow: who is asked looks for them again.
    @Test(arguments: UInt64(241)...248) func certificatesThatComeLateAreAwaited(seed: UInt64) throws {
        let scenario = Scenario(EndingTests.setting(seed))
        let bob = try scenario.addNode("bob", Identities.bob)
        try scenario.waitUntilAnnounced(bob)
        // Nobody gets Alice's certificates for a second, nor asks herself for them.
        let alice = try scenario.addNode("alice", Identities.alice) { configuration in
            configuration.idForms = [.short]
            configuration.dht.isClient = true
        }
        let key = alice.identity.deviceID.bytes
        let (world, start) = (scenario.world, scenario.world.now)
        alice.filter = { effect in
            guard start.duration(to: world.now) < .seconds(1), case .sendDHT(let bytes, _) = effect else { return true }
            return !bytes.contains(key) || !bytes.contains(Array("put".utf8))
        }
        let call = alice.call(bob.identity.accountID)
        try scenario.wait(for: "ringing", within: .seconds(8)) { !bob.incomingCalls.isEmpty }
        let requested = try #require(
            alice.time { if case .call(call, .requested) = $0 { true } else { false } })
        #expect(start.duration(to: requested) >= .milliseconds(500), "stock peers look for certificates once")
        alice.hangUp(call)
        try scenario.waitUntilIdle()
    }

    private func scenario(_ proof: FalseProof, seed: UInt64) throws -> (Scenario, alice: NodeHost, bob: NodeHost) {
        let scenario = Scenario(EndingTests.setting(seed))
        let alice = try scenario.addNode("alice", Identities.alice, over: [.tcp])
        let identity = try proof.identity()
        let shown = proof == .swapped ? Identities.mallory : identity
        let bob = try scenario.addNode("bob", identity, over: [.tcp], showing: SecureChannel.Credentials(shown))
        try scenario.waitUntilAnnounced(alice)
        try scenario.waitUntilAnnounced(bob)
        return (scenario, alice, bob)
    }

    /// The node that refused still serves others.
    private func serves(_ alice: NodeHost, in scenario: Scenario) throws {
        let carol = try scenario.addNode("carol", Identities.bobsTablet)
        try scenario.waitUntilAnnounced(carol)
        let call = alice.call(carol.identity.accountID)
        try scenario.wait(for: "ring", within: .seconds(60)) { !carol.incomingCalls.isEmpty }
        alice.hangUp(call)
    }

    @Test(arguments: FalseProof.allCases) func aCalleeMustProveWhoItIs(proof: FalseProof) throws {
        let (scenario, alice, bob) = try scenario(proof, seed: 901)
        let call = alice.call(bob.identity.accountID)
        try scenario.wait(for: "end", within: .seconds(90)) { alice.end(of: call) != nil }
        #expect(alice.end(of: call) == .untrusted)
        // What comes by TLS is cut where a certificate does not fit the one before.
        let reasons = proof == .foreign ? ["wrongIssuer", "noIssuer"] : [proof.reason]
        let refusals = alice.ignored.filter { $0.contains("unsecured") }
        #expect(refusals.contains { refusal in reasons.contains { refusal.contains($0) } }, "\(refusals)")
        #expect(bob.incomingCalls.isEmpty)
        try serves(alice, in: scenario)
    }

    @Test(arguments: FalseProof.allCases) func aCallerMustProveWhoItIs(proof: FalseProof) throws {
        let (scenario, alice, bob) = try scenario(proof, seed: 902)
        let call = bob.call(alice.identity.accountID)
        try scenario.wait(for: "end", within: .seconds(90)) { bob.end(of: call) != nil }
        #expect(alice.incomingCalls.isEmpty)
        #expect(alice.ignored.contains { $0.contains(proof.reason) })
        try serves(alice, in: scenario)
    }
}
