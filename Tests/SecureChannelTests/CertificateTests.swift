import SansIO
import TestVectors
import Testing

@testable import SecureChannel

@Suite struct CertificateTests {
    struct Facts: Decodable {
        let account_id: String
        let device_id: String
        let chain: [Level]
        struct Level: Decodable {
            let subject: String
            let issuer: String
            let serial: String
            let sha1_spki: String
            let sha256_spki: String
            let not_before: String
            let not_after: String
            let der_len: Int
        }
    }

    @Test(arguments: ["alice", "bob"])
    func capturedChainsHoldTheRecordedFacts(name: String) throws {
        let facts = try TestVectors.json("jami/account/\(name)-info.json", as: Facts.self)
        let text = try Fixture.text("jami/account/\(name)-device-chain.pem")
        let chain = try CertificateChain(pem: text)
        #expect(chain.pem == text)
        #expect(chain.certificates.map(\.pem).joined() == text)
        #expect(chain.accountID?.hex == facts.account_id)
        #expect(chain.device.longID.hex == facts.device_id)
        #expect(chain.certificates.count == facts.chain.count)
        for (certificate, level) in zip(chain.certificates, facts.chain) {
            #expect(certificate.shortID.hex == level.sha1_spki)
            #expect(certificate.longID.hex == level.sha256_spki)
            #expect(certificate.der.count == level.der_len)
            #expect("UID=\(certificate.userID ?? ""),CN=\(certificate.commonName)" == level.subject)
            #expect(level.issuer.hasPrefix("UID=\(certificate.issuerUserID ?? ""),"))
            #expect((certificate.serialNumber[0] >= 0x80) == level.serial.hasPrefix("-"))
            #expect(certificate.notAfter - certificate.notBefore == 3650 * 86_400)
        }
        #expect(chain.certificates.map(\.isAuthority) == [false, true, true])
        #expect(chain.certificates[2].subjectKeyIdentifier == chain.certificates[2].shortID.bytes)
    }

    @Test func datesAreReadAsUnixTime() throws {
        // 2026-11-23 08:55:43 UTC.
        let chain = try CertificateChain(pem: Fixture.text("jami/account/alice-device-chain.pem"))
        #expect(chain.device.notBefore == 1_795_424_143)
    }

    @Test(arguments: ["alice", "bob"])
    func capturedChainsAreTrusted(name: String) throws {
        let chain = try CertificateChain(pem: Fixture.text("jami/account/\(name)-device-chain.pem"))
        var trust = Trust()
        trust.requiresUserID = true
        #expect(try trust.verify(chain, at: chain.device.notBefore + 1) == chain.accountID)
    }

    @Test func chainsOfTwoAreTrustedAndOfOneAreNot() throws {
        let chain = try CertificateChain(pem: #require(try RecordedIdentity.named("dev")).certificate_chain_pem)
        #expect(chain.certificates.count == 2)
        #expect(throws: Never.self) { try Trust().verify(chain, at: chain.device.notBefore) }
        let alone = try CertificateChain(pem: #require(try RecordedIdentity.named("alone")).certificate_chain_pem)
        #expect(throws: Trust.Failure.noIssuer) { try Trust().verify(alone, at: alone.device.notBefore) }
    }

    @Test func certificatesOfOtherKeysAreReadButNotTrusted() throws {
        // A DHT node's own chain, whose authority has an elliptic key.
        struct Captured: Decodable {
            let dht_key: String
            let raw: String
        }
        let captured = try TestVectors.json("jami/dht-values.json", as: [Captured].self)
        let recorded = try #require(captured.first { $0.dht_key == "f3771b30dca00e0c1d4d4d0b646d36c21514aca0" })
        let chain = try CertificateChain(decoding: #require(try RecordedValue(packed: hex(recorded.raw)).data))
        #expect(chain.device.shortID.hex == recorded.dht_key)
        #expect(chain.device.publicKey != nil && chain.account?.publicKey == nil)
        #expect(throws: Trust.Failure.badSignature(level: 0)) {
            try Trust().verify(chain, at: chain.device.notBefore)
        }
    }

    @Test func createdChainsFollowTheTable() throws {
        let identity = Fixture.alice
        let (device, account, authority) = (
            identity.chain.certificates[0], identity.chain.certificates[1], identity.chain.certificates[2]
        )
        #expect(identity.chain.certificates.map(\.commonName) == ["Jami device", "Jami", "Jami CA"])
        for certificate in identity.chain.certificates {
            #expect(certificate.userID == certificate.shortID.hex)
            #expect(certificate.subjectKeyIdentifier == certificate.shortID.bytes)
            #expect(certificate.signatureHash == .sha384)
            #expect(certificate.serialNumber.count == 8 && certificate.serialNumber[0] < 0x80)
            #expect((certificate.notBefore, certificate.notAfter) == (Fixture.now - 60, Fixture.now + 86_400))
            #expect(!certificate.hasUnknownCriticalExtension)
        }
        #expect(device.issuerUserID == account.userID && account.issuerUserID == authority.userID)
        #expect(authority.isSelfIssued && authority.isAuthority && account.isAuthority && !device.isAuthority)
        #expect(device.keyUsage == [.digitalSignature, .dataEncipherment])
        #expect(account.keyUsage == [.certificateSigning, .revocationListSigning])
        #expect(authority.keyUsage == [.certificateSigning, .revocationListSigning])
        var trust = Trust()
        trust.requiresUserID = true
        #expect(try trust.verify(identity.chain, at: Fixture.now) == identity.accountID)
    }

    @Test func createdIdentitiesLastTenYears() throws {
        let identity = try Identity.create(bits: 2048, at: Fixture.now)
        #expect(identity.chain.device.notBefore == Fixture.now)
        #expect(identity.chain.device.notAfter == Fixture.now + 315_360_000)
        #expect(throws: Never.self) { try Trust().verify(identity.chain, at: Fixture.now) }
    }

    @Test func createdNamesAndExtensionsEqualTheStockBytes() throws {
        // Same names, other key: everything of the subject but the user id's digits is as stock writes it.
        let stock = try CertificateChain(pem: Fixture.text("jami/account/alice-device-chain.pem"))
        for (ours, theirs) in zip(Fixture.alice.chain.certificates, stock.certificates) {
            #expect(ours.subject.count == theirs.subject.count)
        }
    }

    @Test func brokenChainsAreRefusedWithTheirReason() throws {
        let chain = Fixture.alice.chain
        let (device, account, authority) = (chain.certificates[0], chain.certificates[1], chain.certificates[2])
        let trust = Trust()
        func refusal(_ certificates: [Certificate], at time: Int64 = Fixture.now) throws -> Trust.Failure? {
            let chain = try CertificateChain(certificates)
            do throws(Trust.Failure) { try trust.verify(chain, at: time) } catch { return error }
            return nil
        }
        #expect(try refusal([device, account, authority]) == nil)
        #expect(try refusal([device, account]) == nil)
        #expect(try refusal([device]) == .noIssuer)
        #expect(try refusal([device, authority]) == .wrongIssuer(level: 0))
        #expect(try refusal([account, device]) == .wrongIssuer(level: 0))
        #expect(try refusal([account, account]) == .deviceIsIssuer)
        #expect(try refusal([device, account, authority], at: Fixture.now - 61) == .notYetValid(level: 0))
        #expect(try refusal([device, account, authority], at: Fixture.now + 86_401) == .expired(level: 0))
        #expect(try refusal([device, account, Fixture.mallory.chain.certificates[2]]) == .wrongIssuer(level: 1))
        let author = CertificateAuthor(notBefore: Fixture.now, notAfter: Fixture.now + 100)
        let leaf = CertificateAuthor.Subject(commonName: "a", key: Fixture.keys[0], isAuthority: false)
        let issuer = CertificateAuthor.Subject(commonName: "b", key: Fixture.keys[1], isAuthority: false)
        let notAnAuthority = [try author.certify(leaf, by: issuer), try author.certify(issuer, by: issuer)]
        #expect(try refusal(notAnAuthority) == .notAuthority(level: 1))
        var strict = Trust()
        strict.minimumKeyBits = 4096
        #expect(throws: Trust.Failure.weakKey(level: 0)) { try strict.verify(chain, at: Fixture.now) }
    }

    @Test func everyChangedByteIsNoticed() throws {
        let chain = Fixture.alice.chain
        let trust = Trust()
        var random = RandomSource.seeded(6)
        for level in 0..<3 {
            for _ in 0..<150 {
                var der = chain.certificates[level].der
                der[Int.random(in: 0..<der.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                // The top may be issued by somebody who is not shown, so its issuer's name may be anything.
                guard let mutant = try? Certificate(der: der), level < 2 || mutant.isSelfIssued else { continue }
                var certificates = chain.certificates
                certificates[level] = mutant
                let mutated = try CertificateChain(certificates)
                #expect(throws: Trust.Failure.self) { try trust.verify(mutated, at: Fixture.now) }
            }
        }
    }

    @Test func armourIsFoundInsideOtherBytes() throws {
        let text = Fixture.alice.chain.pem
        let chain = try CertificateChain(decoding: [0xC5, 0x04, 0xC0] + Array(text.utf8) + [0xFF, 0x00])
        #expect(chain.pem == text)
        #expect(chain == Fixture.alice.chain)
        let bare = try CertificateChain(decoding: Fixture.alice.chain.device.der)
        #expect(bare.certificates == [Fixture.alice.chain.device])
        let carriageReturns = text.replacing("\n", with: "\r\n")
        let other = try CertificateChain(pem: carriageReturns)
        #expect(other == Fixture.alice.chain && other.pem == carriageReturns)
    }

    @Test func limitsHold() throws {
        let one = Fixture.alice.chain.device.pem
        #expect(throws: WireError.overLimit("certificate chain", limit: 8)) {
            try CertificateChain(pem: String(repeating: one, count: 9))
        }
        #expect(throws: WireError.overLimit("certificate chain", limit: 65_536)) {
            try CertificateChain(decoding: [UInt8](repeating: 0x2D, count: 65_537))
        }
        #expect(throws: WireError.self) { try CertificateChain(decoding: []) }
        #expect(throws: WireError.overLimit("certificate", limit: 16_384)) {
            try Certificate(der: [UInt8](repeating: 0x30, count: 20_000))
        }
    }

    @Test func truncatedCertificatesAndChainsAreRefused() throws {
        let der = Fixture.alice.chain.device.der
        for count in 0..<der.count {
            #expect(throws: WireError.self) { try Certificate(der: Array(der.prefix(count))) }
        }
        let text = Array(Fixture.alice.chain.pem.utf8)
        for count in stride(from: 0, to: text.count - 1, by: 37) {
            _ = try? CertificateChain(decoding: Array(text.prefix(count)))
        }
    }

    @Test func mutatedCertificatesAndChainsNeverTrap() throws {
        var random = RandomSource.seeded(7)
        let stock = try CertificateChain(pem: Fixture.text("jami/account/bob-device-chain.pem"))
        let text = Array(stock.pem.utf8)
        for _ in 0..<3000 { _ = try? Certificate(der: stock.certificates[1].der.mutated(using: &random)) }
        for _ in 0..<1000 {
            guard let chain = try? CertificateChain(decoding: text.mutated(using: &random)) else { continue }
            _ = try? Trust().verify(chain, at: stock.device.notBefore)
        }
    }
}
