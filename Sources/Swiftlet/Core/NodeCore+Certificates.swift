internal import SansIO
package import SecureChannel
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

    /// The device's other name, as far as it is known.
    let long: LongID?
    var operations: [OperationID] = []
    var waiters: [Waiter] = []
    /// How often it came to nothing.
    var failures = 0

    /// How many letters may wait for one device.
    static let waiterLimit = 64
}

/// Who devices are.
extension NodeCore {
    /// The wait before the certificates of a device that wrote to us are looked for again; it doubles each time. A device
    /// that has just come may write before they are stored.
    static let certificateInterval = Duration.milliseconds(250)
    /// How often they are looked for.
    static let certificateAttempts = 6

    /// Looks for the certificates of a device, on behalf of what waits for its key, or of the mail that it sent.
    mutating func findCertificate(
        of device: DeviceID, long: LongID?, for waiter: CertificateSearch.Waiter? = nil, at now: Instant
    ) -> [Effect] {
        var search = certificateSearches[device] ?? CertificateSearch(long: long)
        if let waiter, search.waiters.count < CertificateSearch.waiterLimit { search.waiters.append(waiter) }
        certificateSearches[device] = search
        return search.operations.isEmpty ? searchCertificate(of: device, at: now) : []
    }

    /// Looks for the certificates of a device at all their keys.
    mutating func searchCertificate(of device: DeviceID, at now: Instant) -> [Effect] {
        timers.cancel(.certificate(device))
        guard let search = certificateSearches[device] else { return [] }
        let keys = certificateKeys(short: device, long: search.long)
        let operations = keys.map { _ in begin(.certificate(device)) }
        certificateSearches[device]?.operations = operations
        let query = ValueQuery(where: [.type(.certificate)])
        return zip(keys, operations).flatMap { key, operation in
            introduce(dht.get(key, matching: query, as: operation, at: now), at: now)
        }
    }

    /// A value at the certificate key of a device.
    mutating func certificateFound(_ value: Value, of device: DeviceID, at now: Instant) -> [Effect] {
        guard let search = certificateSearches[device] else { return [] }
        let (key, owner): (PublicKey, AccountID)
        do throws(CertificateObjection) { (key, owner) = try prove(value, of: device, at: now) } catch {
            return [.ignored(.untrustedCertificate(device, error))]
        }
        certificateSearches[device] = nil
        timers.cancel(.certificate(device))
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
        guard var search = certificateSearches[device], search.operations.isEmpty else { return [] }
        certificateSearches[device] = nil
        var effects: [Effect] = []
        for case .link(let link) in search.waiters { effects += failed(link, because: .untrusted, at: now) }
        guard inbox.holds(device) else { return effects }
        search.waiters = []
        search.failures += 1
        guard search.failures < Self.certificateAttempts else { return effects + giveUp(on: device) }
        certificateSearches[device] = search
        timers.set(
            .certificate(device), at: now.advanced(by: Self.certificateInterval * (1 << (search.failures - 1))))
        return effects
    }

    /// Who wrote to us, and has been looked for in vain most often; `nil` while everybody is being looked for.
    func leastPromisingSender() -> DeviceID? {
        certificateSearches.filter { $0.value.operations.isEmpty && inbox.holds($0.key) }
            .max { ($0.value.failures, $0.key.hex) < ($1.value.failures, $1.key.hex) }?.key
    }

    /// Drops the mail of a device that nobody knows anything of.
    mutating func giveUp(on device: DeviceID) -> [Effect] {
        certificateSearches[device] = nil
        timers.cancel(.certificate(device))
        _ = inbox.release(device)
        return [.ignored(.unknownSender(device))]
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

    /// The key and the account of a device, if the value holds certificates that prove them.
    private func prove(
        _ value: Value, of device: DeviceID, at now: Instant
    ) throws(CertificateObjection) -> (PublicKey, AccountID) {
        guard value.type == .certificate, let data = value.body?.data,
            let chain = try? CertificateChain(decoding: data), let key = chain.device.publicKey
        else { throw .unreadable }
        guard chain.device.shortID == device else { throw .otherDevice(chain.device.shortID) }
        do throws(Trust.Failure) {
            return (key, try configuration.trust.verify(chain, at: clock.unixSeconds(at: now)))
        } catch { throw .untrusted(error) }
    }
}

/// Why a value proves nothing about a device.
package enum CertificateObjection: Error, Hashable, Sendable {
    /// It holds no certificates.
    case unreadable
    /// They are another device's.
    case otherDevice(DeviceID)
    /// They do not hold.
    case untrusted(Trust.Failure)
}
