import SecureChannel
import TestIdentities

extension FuzzTarget {
    /// Certificate chains, armoured or bare, and the judgement of them.
    static let certificateChain = FuzzTarget(name: "certificate-chain") { bytes throws(Finding) in
        guard let chain = try? CertificateChain(decoding: bytes) else { return }
        try require((try? CertificateChain(pem: chain.pem)) == chain, "the text survives")
        try require((try? CertificateChain(chain.certificates)) == chain, "the certificates survive")
        _ = try? Trust().verify(chain, at: 1_800_000_000)
    }

    /// Lists of withdrawn certificates, and what they say of a chain.
    static let revocationList = FuzzTarget(name: "revocation-list") { bytes throws(Finding) in
        guard let list = try? RevocationList(decoding: bytes) else { return }
        try require((try? RevocationList(der: list.der))?.count == list.count, "the list survives")
        for chain in [Identities.alice, Identities.bob].map(\.chain) {
            try require(chain.revokedLevel(by: [list], at: .max) == nil, "nobody's key signs by chance")
        }
    }
}
