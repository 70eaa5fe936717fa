import SansIO
import SecureChannel
import TestVectors
import Testing

@testable import Swiftlet

/// Which certificates are kept, and for how long.
@Suite struct CertificateCacheTests {
    private struct Recorded: Decodable {
        let authority: String
        let valid: String
    }

    private func chains() throws -> [CertificateChain] {
        let recorded: Recorded = try TestVectors.json("opendht/revocation.json")
        return [try CertificateChain(pem: recorded.authority), try CertificateChain(pem: recorded.valid)]
    }

    @Test func chainsAreFoundByBothIDsUntilTheyAreTooOld() throws {
        var cache = CertificateCache(limit: 2)
        let chain = try chains()[0]
        cache.insert(chain, at: .zero)
        #expect(cache.chain(of: chain.device.shortID, at: .zero) == chain)
        #expect(cache.chain(of: chain.device.longID, at: .zero) == chain)
        let end = Instant.zero.advanced(by: CertificateCache.lifetime)
        #expect(cache.chain(of: chain.device.shortID, at: end) == nil)
        #expect(cache.chain(of: chain.device.longID, at: end) == nil)
        cache.insert(chain, at: end)
        #expect(cache.chain(of: chain.device.longID, at: end) == chain)
        #expect(cache.count == 1)
    }

    @Test func theOldestChainGoesFirst() throws {
        var cache = CertificateCache(limit: 1)
        let chains = try chains()
        for chain in chains { cache.insert(chain, at: .zero) }
        #expect(cache.count == 1)
        #expect(cache.chain(of: chains[0].device.longID, at: .zero) == nil)
        #expect(cache.chain(of: chains[1].device.longID, at: .zero) == chains[1])
    }
}
