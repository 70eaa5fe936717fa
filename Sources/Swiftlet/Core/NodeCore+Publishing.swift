package import SansIO
internal import SecureChannel
internal import SwiftDHT

/// Making the device known to others.
extension NodeCore {
    /// Makes the device known to others and listens for their requests.
    ///
    /// The certificate goes first: who finds the announcement looks for the certificate at once.
    package mutating func publish(at now: Instant) -> [Effect] {
        let certificate = Value(
            id: Value.ID(1), data: PackedCertificate.encode(account.chain), type: .certificate)
        var effects: [Effect] = []
        let keys = certificateKeys(short: account.deviceID, long: account.deviceKey.longID)
        unstoredCertificates = keys.count
        timers.set(.introduction, at: now.advanced(by: Self.introductionTime))
        for key in keys {
            let operation = begin(.publishing(isAnnouncement: false))
            effects += introduce(
                dht.put(certificate, at: key, permanently: true, as: operation, at: now), at: now)
        }
        for mailbox in mailboxes {
            let operation = begin(.mailbox(mailbox))
            effects += introduce(dht.listen(mailbox.key(of: account.deviceKey), as: operation, at: now), at: now)
        }
        return effects + watchContacts(at: now)
    }

    /// How long requests wait for our certificates: who is asked by a device looks for its certificates at once, and stock
    /// peers look once. In networks with many dead nodes they may take longer to be stored everywhere.
    static let introductionTime = Duration.milliseconds(500)

    /// A certificate is stored, or will be when the DHT can be reached; with the last one requests and the announcement
    /// follow.
    mutating func certificateStored(at now: Instant) -> [Effect] {
        unstoredCertificates -= 1
        guard unstoredCertificates == 0 else { return [] }
        timers.cancel(.introduction)
        return sendHeldRequests(at: now) + [announce()]
    }

    private mutating func announce() -> Effect {
        // Peers of 2019 announce no key, and peers of the first flow need none.
        let key = configuration.dialects.contains(.multiplexed) ? account.deviceKey.der : nil
        let announcement = DeviceAnnouncement(device: account.deviceID.bytes, publicKey: key)
        let body = ValueBody(type: .userData, data: announcement.encoded)
        return begin(.sign(body, id: .random(using: &random)), for: .announcement)
    }

    /// The mailboxes a device of our kind has.
    var mailboxes: [Mailbox] {
        Mailbox.allCases.filter { mailbox in
            switch mailbox {
            case .callRequests: configuration.dialects.contains(.direct)
            case .shortID: configuration.dialects.contains(.multiplexed) && configuration.idForms.contains(.short)
            case .longID: configuration.dialects.contains(.multiplexed) && configuration.idForms.contains(.long)
            case .inbox: true
            }
        }
    }

    /// Where the certificates of a device lie, as far as its ids are known.
    func certificateKeys(short: DeviceID, long: LongID?) -> [InfoHash] {
        configuration.idForms.compactMap { form in
            switch form {
            case .short: InfoHash(short)
            case .long: long.map { InfoHash(hashing: $0.bytes) }
            }
        }
    }
}

/// How a chain is stored on the DHT: its PEM text as a MessagePack `bin`.
enum PackedCertificate {
    static func encode(_ chain: CertificateChain) -> [UInt8] {
        var writer = MessagePackWriter(capacity: chain.pem.utf8.count + 5)
        writer.write(Array(chain.pem.utf8))
        return writer.bytes
    }
}
