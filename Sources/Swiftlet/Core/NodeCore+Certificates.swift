internal import SansIO
internal import SecureChannel
internal import SwiftDHT

/// A search for the certificates of one device, at every key they may lie under.
struct CertificateSearch: Sendable {
    /// What waits for a device's key.
    enum Waiter: Hashable, Sendable {
        /// A link of ours to the device.
        case link(LinkID)
        /// A letter to a device of this account.
        case letter(TrustRequest, to: AccountID)
    }

    var operations: [OperationID]
    var waiters: [Waiter] = []

    /// How many letters may wait for one device.
    static let waiterLimit = 64
}

/// Who devices are.
extension NodeCore {
    /// Looks for the certificates of a device, on behalf of what waits for its key, or of the mail that it sent.
    mutating func findCertificate(
        of device: DeviceID, long: LongID?, for waiter: CertificateSearch.Waiter? = nil, at now: Instant
    ) -> [Effect] {
        if let search = certificateSearches[device] {
            if let waiter, search.waiters.count < CertificateSearch.waiterLimit {
                certificateSearches[device]?.waiters.append(waiter)
            }
            return []
        }
        let keys = certificateKeys(short: device, long: long)
        let operations = keys.map { _ in begin(.certificate(device)) }
        certificateSearches[device] = CertificateSearch(operations: operations, waiters: waiter.map { [$0] } ?? [])
        let query = ValueQuery(where: [.type(.certificate)])
        return zip(keys, operations).flatMap { key, operation in
            introduce(dht.get(key, matching: query, as: operation, at: now), at: now)
        }
    }

    /// A value at the certificate key of a device.
    mutating func certificateFound(_ value: Value, of device: DeviceID, at now: Instant) -> [Effect] {
        guard let search = certificateSearches[device] else { return [] }
        guard let chain = trustedChain(value, of: device, at: now), let owner = chain.accountID,
            let key = chain.device.publicKey
        else { return [.ignored(.untrustedSender(device))] }
        certificateSearches[device] = nil
        knownDevices.learn(device, of: owner)
        var effects = search.operations.flatMap { end($0, at: now) }
        for waiter in search.waiters {
            switch waiter {
            case .link(let link): effects += keyFound(key, of: owner, for: link, at: now)
            case .letter(let letter, let reader):
                if reader == owner { effects.append(seal(letter, for: key, of: reader)) }
            }
        }
        for mail in inbox.release(device) { effects += deliver(mail, from: owner, at: now) }
        return effects
    }

    /// One search for the certificates of a device came to nothing.
    mutating func certificateMissing(of device: DeviceID, operation: OperationID, at now: Instant) -> [Effect] {
        certificateSearches[device]?.operations.removeAll { $0 == operation }
        guard let search = certificateSearches[device], search.operations.isEmpty else { return [] }
        certificateSearches[device] = nil
        var effects: [Effect] = []
        for case .link(let link) in search.waiters { effects += failed(link, because: .untrusted, at: now) }
        guard inbox.holds(device) else { return effects }
        _ = inbox.release(device)
        return effects + [.ignored(.unknownSender(device))]
    }

    /// The key of the device at the far end of a link of ours.
    private mutating func keyFound(
        _ key: PublicKey, of owner: AccountID, for link: LinkID, at now: Instant
    ) -> [Effect] {
        guard let record = links[link], record.key == nil else { return [] }
        guard owner == record.account else { return failed(link, because: .untrusted, at: now) }
        links[link]?.key = key
        return introduce(links[link]?.machine.allowDescription(at: now) ?? [], of: link, at: now)
    }

    /// A chain from a certificate value, if it holds and belongs to this device.
    private func trustedChain(_ value: Value, of device: DeviceID, at now: Instant) -> CertificateChain? {
        guard value.type == .certificate, let data = value.body?.data,
            let chain = try? CertificateChain(decoding: data),
            chain.device.shortID == device,
            (try? configuration.trust.verify(chain, at: clock.unixSeconds(at: now))) != nil
        else { return nil }
        return chain
    }
}
