internal import SansIO

/// No answer hits somebody who asked for nothing: what is larger than its request waits until the source of the request
/// has shown that it receives what we send there.
extension DHT {
    /// Whether the source of a datagram may be forged.
    func isStranger(_ address: IPAddress, at now: Instant) -> Bool {
        configuration.provesAddresses && address.isGlobal && !proofs.contains(address, at: now)
    }

    /// Whether the answer to a request may be much larger than the request.
    func isGenerous(_ method: Request.Method) -> Bool {
        switch method {
        case .find, .get: true
        case .ping, .put, .refresh, .listen, .update: false
        }
    }

    /// Whether a request carries a token that we gave to its source, who therefore received it there.
    mutating func proves(_ method: Request.Method, _ source: Endpoint, at now: Instant) -> Bool {
        let token: [UInt8]
        switch method {
        case .put(_, _, let shown, _), .refresh(_, _, let shown), .listen(_, let shown, _, _, _): token = shown
        case .ping, .find, .get, .update: return false
        }
        guard tokens.isValid(token, from: source) else { return false }
        prove(source.address, at: now)
        return true
    }

    /// An address received what was sent there: remember that, and answer what waited for it. Only addresses of the Internet
    /// are ever asked for a proof.
    mutating func prove(_ address: IPAddress, at now: Instant) {
        guard address.isGlobal else { return }
        let end = now.advanced(by: configuration.proofTime)
        proofs.insert(address, until: end, limit: configuration.provenAddressLimit, at: now)
        guard withheld.count > 0 else { return }
        for entry in withheld.remove(address) {
            learn(entry.sender, .heard, isClient: entry.isClient, at: now)
            _ = serve(entry.method, transaction: entry.transaction, from: entry.sender, at: now)
        }
    }

    /// Lets a request wait, and pings where it seems to come from.
    mutating func withhold(
        _ request: Request, in packet: Packet, size: Int, from source: Endpoint, at now: Instant
    ) -> Reason? {
        let sender = KnownNode(id: request.sender, endpoint: source)
        let entry = WithheldRequests.Entry(
            method: request.method, transaction: packet.transaction, sender: sender, isClient: packet.isClient)
        guard size <= configuration.withheldSizeLimit,
            withheld.insert(
                entry, limit: configuration.withheldRequestLimit, perAddress: configuration.withheldPerAddress)
        else { return .unproven }
        self.request(.ping, to: sender, purpose: .proof, at: now)
        return nil
    }
}
