import SansIO
import SecureChannel
import TestVectors
import Testing

/// Lists of withdrawn certificates, as OpenDHT makes them.
@Suite struct RevocationListTests {
    private struct Recorded: Decodable {
        let authority: String
        let withdrawn: String
        let valid: String
        let stranger: String
        let empty_list: String
        let list: String
        let value_packed: String
    }

    private let recorded: Recorded
    private let list: RevocationList
    private let empty: RevocationList
    private let authority: Certificate
    private let now: Int64

    init() throws {
        recorded = try TestVectors.json("opendht/revocation.json", as: Recorded.self)
        list = try RevocationList(der: hex(recorded.list))
        empty = try RevocationList(der: hex(recorded.empty_list))
        authority = try CertificateChain(pem: recorded.authority).device
        now = list.updated
    }

    private func chain(_ leaf: String) throws -> CertificateChain {
        try CertificateChain(pem: leaf + recorded.authority)
    }

    @Test func aListNamesWhatWasWithdrawnAndNothingElse() throws {
        #expect(list.count == 1)
        #expect(empty.count == 0)
        #expect(list.issuerUserID == authority.shortID.hex)
        #expect(list.nextUpdate.map { $0 > now } == true)
        #expect(list.number != nil)
        #expect(try chain(recorded.withdrawn).revokedLevel(by: [empty, list], at: now) == 0)
        #expect(try chain(recorded.valid).revokedLevel(by: [empty, list], at: now) == nil)
        #expect(try chain(recorded.withdrawn).revokedLevel(by: [empty], at: now) == nil)
        // What is out of date withdraws still; what is of the future does not yet.
        #expect(try chain(recorded.withdrawn).revokedLevel(by: [list], at: now + 1 << 32) == 0)
        #expect(try chain(recorded.withdrawn).revokedLevel(by: [list], at: now - 1) == nil)
    }

    @Test func onlyTheIssuersOwnListCounts() throws {
        #expect(list.isSigned(by: authority))
        let stranger = try CertificateChain(pem: recorded.stranger).device
        #expect(!list.isSigned(by: stranger))
        // The stranger's list would have to bear the authority's name: with another signature it is no list of hers.
        var forged = hex(recorded.list)
        forged[forged.count - 1] ^= 1
        let damaged = try RevocationList(der: forged)
        #expect(!damaged.isSigned(by: authority))
        #expect(try chain(recorded.withdrawn).revokedLevel(by: [damaged], at: now) == nil)
    }

    @Test func aListIsReadAsAValueCarriesIt() throws {
        let value = hex(recorded.value_packed)
        let der = hex(recorded.list)
        let start = try #require(value.indices.first { value[$0...].starts(with: der) })
        var packed = MessagePackWriter()
        packed.write(der)
        #expect(Array(value[(start - packed.bytes.count + der.count)...].prefix(packed.bytes.count)) == packed.bytes)
        #expect(try RevocationList(decoding: packed.bytes).der == der)
        #expect(try RevocationList(decoding: der).der == der)
    }

    @Test func damagedListsAreErrorsAndWithdrawNothing() throws {
        var random = RandomSource.seeded(6)
        let withdrawn = try chain(recorded.withdrawn)
        let der = hex(recorded.list)
        for count in der.indices { #expect(throws: WireError.self) { try RevocationList(der: Array(der[..<count])) } }
        for _ in 0..<2000 {
            var bytes = der
            bytes[Int.random(in: bytes.indices, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            guard let damaged = try? RevocationList(der: bytes) else { continue }
            #expect(withdrawn.revokedLevel(by: [damaged], at: now + 86_400) == nil)
        }
        #expect(throws: WireError.self) {
            try RevocationList(der: [UInt8](repeating: 0x30, count: RevocationList.maximumBytes + 1))
        }
    }
}
