internal import CGnuTLS
internal import SansIO

extension SecureSession {
    /// What the finished handshake says about the peer.
    func facts(about peer: CertificateChain) -> PeerFacts {
        // The name is a constant, the description an allocation that is ours to free.
        let version = unsafe gnutls_protocol_get_name(gnutls_protocol_get_version(tls.handle))
        let suite = unsafe gnutls_session_get_desc(tls.handle)
        defer { unsafe cgnutls_free(suite) }
        return PeerFacts(
            chain: peer, protocolVersion: unsafe version.map { unsafe String(cString: $0) } ?? "",
            cipherSuite: unsafe suite.map { unsafe String(cString: $0) } ?? "")
    }

    /// Judges the peer's certificates; called by GnuTLS in the middle of the handshake.
    func acceptsPeer() -> Bool {
        do {
            let chain = try peerChain()
            let account = try trust.verify(chain, at: clock.unixSeconds(at: now))
            guard expectation.accepts(chain) else {
                objection = .unexpectedPeer(account: account, device: chain.device.shortID)
                return false
            }
            peer = chain
            return true
        } catch let failure as Trust.Failure {
            objection = .untrusted(failure)
        } catch {
            objection = .unreadableCertificate
        }
        return false
    }

    private func peerChain() throws -> CertificateChain {
        var count: UInt32 = 0
        // The list belongs to the session and is valid until the call returns to GnuTLS.
        let list = unsafe gnutls_certificate_get_peers(tls.handle, &count)
        guard let list = unsafe list, count <= CertificateChain.maximumCertificates else {
            throw WireError.overLimit(.certificateChain, limit: CertificateChain.maximumCertificates)
        }
        var certificates: [Certificate] = []
        for index in 0..<Int(count) {
            let datum = unsafe list[index]
            let der = unsafe [UInt8](UnsafeBufferPointer(start: datum.data, count: Int(datum.size)))
            certificates.append(try Certificate(der: der))
        }
        return try CertificateChain(certificates)
    }
}
