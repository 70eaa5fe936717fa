import SecureChannel

extension FuzzTarget {
    /// Certificate chains, armoured or bare, and the judgement of them.
    static let certificateChain = FuzzTarget(name: "certificate-chain") { bytes throws(Finding) in
        guard let chain = try? CertificateChain(decoding: bytes) else { return }
        try require((try? CertificateChain(pem: chain.pem)) == chain, "the text survives")
        try require((try? CertificateChain(chain.certificates)) == chain, "the certificates survive")
        _ = try? Trust().verify(chain, at: 1_800_000_000)
    }
}
