package import SansIO
internal import SecureChannel
internal import SwiftDHT

/// The accounts we know: who may reach us, who is there, and how two accounts become contacts.
///
/// A contact request lies in the inbox of each device of the other account until it is read; so does the confirmation.
/// Each is sent to a device when its announcement is first seen, whether that is at once or days later.
extension NodeCore {
    // MARK: - The user

    /// Makes an account a contact: it is asked to agree, or told that we do if it asked before.
    package mutating func addContact(_ id: AccountID, at now: Instant) -> [Effect] {
        guard id != account.accountID else { return [.ignored(.ownAccount)] }
        contacts.add(id, at: clock.unixSeconds(at: now))
        let hasAsked = contactRequests.removeValue(forKey: id) != nil
        if hasAsked { contacts.confirm(id) }
        return [.saveContacts(contacts)] + watch(id, at: now) + introduceOurselves(to: id, agreeing: hasAsked, at: now)
    }

    /// Makes an account no contact; a banned one reaches us no more, and its links are closed.
    package mutating func removeContact(_ id: AccountID, banning isBanned: Bool, at now: Instant) -> [Effect] {
        contacts.remove(id, banning: isBanned, at: clock.unixSeconds(at: now))
        contactRequests[id] = nil
        var effects: [Effect] = [.saveContacts(contacts)]
        if let presence = presences.removeValue(forKey: id) {
            effects += end(presence.operation, at: now)
            if presence.isOnline { effects.append(.event(.presence(id, isOnline: false))) }
        }
        guard isBanned else { return effects }
        for link in linkOrder where links[link]?.account == id {
            effects += failed(link, because: .untrusted, at: now)
        }
        return effects
    }

    /// Whether an account may reach us: nobody who is banned, strangers as the user wishes.
    func welcomes(_ id: AccountID, device: DeviceID) -> Bool {
        guard !contacts.isBanned(id), !contacts.isBanned(device) else { return false }
        // Who was called may call back.
        return configuration.acceptsStrangers || contacts[id]?.isActive == true || calledAccounts.contains(id)
            || id == account.accountID
    }

    // MARK: - Presence

    /// Listens for the announcements of all contacts.
    mutating func watchContacts(at now: Instant) -> [Effect] {
        var effects: [Effect] = []
        for contact in contacts.active.prefix(configuration.presenceLimit) {
            effects += watch(contact.id, at: now)
            if !contact.isConfirmed { effects += introduceOurselves(to: contact.id, agreeing: false, at: now) }
        }
        return effects
    }

    private mutating func watch(_ id: AccountID, at now: Instant) -> [Effect] {
        guard presences[id] == nil, presences.count < configuration.presenceLimit else { return [] }
        let operation = begin(.presence(id))
        presences[id] = Presence(operation: operation)
        return introduce(dht.listen(InfoHash(id), as: operation, at: now), at: now)
    }

    /// A value at the id of a contact: maybe the announcement of a device.
    mutating func announcementSeen(_ value: Value, of id: AccountID, at now: Instant) -> [Effect] {
        guard let presence = presences[id], let device = AnnouncedDevice(value, of: id) else { return [] }
        presences[id]?.appeared(value.id, device)
        let appeared: [Effect] = presence.isOnline ? [] : [.event(.presence(id, isOnline: true))]
        return appeared + sendLetters(to: id, at: now)
    }

    /// An announcement of a contact is gone.
    mutating func announcementGone(_ value: Value.ID, of id: AccountID) -> [Effect] {
        guard presences[id]?.isOnline == true else { return [] }
        presences[id]?.disappeared(value)
        return presences[id]?.isOnline == true ? [] : [.event(.presence(id, isOnline: false))]
    }

    // MARK: - Letters

    /// Asks a contact to agree, or says that we do, on every device it has.
    private mutating func introduceOurselves(to id: AccountID, agreeing: Bool, at now: Instant) -> [Effect] {
        let letter = TrustRequest(
            conversationID: contacts[id]?.conversationID ?? "", payload: Array(configuration.profile.utf8),
            isConfirmation: agreeing)
        presences[id]?.letter = letter
        return sendLetters(to: id, at: now)
    }

    private mutating func sendLetters(to id: AccountID, at now: Instant) -> [Effect] {
        guard let letter = presences[id]?.letter, let devices = presences[id]?.takeUntold() else { return [] }
        return devices.flatMap { device in
            device.key.map { [seal(letter, for: $0, of: id)] }
                ?? findCertificate(of: device.id, long: nil, for: .letter(letter, to: id), at: now)
        }
    }

    // MARK: - Texts

    /// A text came through the DHT, as from peers without a connection. They are told, at our own inbox, that it did.
    mutating func messageArrived(
        _ message: InstantMessage, from id: AccountID, device: PublicKey, at now: Instant
    ) -> [Effect] {
        guard !message.isConfirmation else { return [] }
        let confirmation = InstantMessage(id: message.id, content: "", unixSeconds: clock.unixSeconds(at: now))
        let body = ValueBody(type: .instantMessage, data: confirmation.encoded)
        let work = Work.seal(body, id: .random(using: &random), recipient: device)
        let key = Mailbox.inbox.key(of: account.deviceKey)
        let confirm = begin(work, for: .confirmation(key: key))
        // Who asks again did not get the confirmation.
        guard inbox.treat(message.id) else { return [confirm] }
        let contentType = message.contentType.isEmpty ? "text/plain" : message.contentType
        let text = Message(contentType: contentType, content: Array(message.content.utf8))
        return [.remember(requestID: message.id), .event(.message(text, from: id)), confirm]
    }

    /// A confirmation was signed and encrypted: put it where the sender of the text looks for it.
    mutating func confirmed(_ value: Value, at key: InfoHash, at now: Instant) -> [Effect] {
        _ = inbox.see(value.id)
        return introduce(dht.put(value, at: key, as: begin(.sending), at: now), at: now)
    }

    // MARK: - Sealing

    /// Has a letter signed and encrypted for a device.
    mutating func seal(_ letter: TrustRequest, for recipient: PublicKey, of id: AccountID) -> Effect {
        let body = ValueBody(type: .trustRequest, data: letter.encoded)
        let work = Work.seal(body, id: .random(using: &random), recipient: recipient)
        let key = Mailbox.inbox.key(of: recipient)
        return begin(work, for: .letter(key: key, to: id, device: recipient.shortID))
    }

    /// A letter was signed and encrypted: put it into its reader's inbox.
    mutating func sealed(
        _ value: Value, at key: InfoHash, for id: AccountID, device: DeviceID, at now: Instant
    ) -> [Effect] {
        introduce(dht.put(value, at: key, as: begin(.letter(id, device)), at: now), at: now)
    }

    /// Somebody wants to be a contact, or agrees to be one.
    mutating func letterArrived(_ letter: TrustRequest, from id: AccountID, at now: Instant) -> [Effect] {
        guard letter.service == TrustRequest.jami, id != account.accountID else { return [.ignored(.unusableRequest)] }
        guard !contacts.isBanned(id) else { return [.ignored(.unwelcome(id))] }
        if let contact = contacts[id], contact.isActive {
            guard !contact.isConfirmed else { return [] }
            contacts.confirm(id)
            let effects: [Effect] = [.saveContacts(contacts), .event(.contactConfirmed(id))]
            // Who asks does not know that we did as well.
            return letter.isConfirmation ? effects : effects + introduceAgain(to: id, at: now)
        }
        guard !letter.isConfirmation else { return [.ignored(.unusableRequest)] }
        guard contactRequests[id] != nil || contactRequests.count < configuration.contactRequestLimit else {
            return [.ignored(.overLimit("contactRequests"))]
        }
        contactRequests[id] = letter
        return [.event(.contactRequested(from: id, profile: String(decoding: letter.payload, as: UTF8.self)))]
    }

    /// Tells all devices of a contact anew, as what they were told before is not enough.
    private mutating func introduceAgain(to id: AccountID, at now: Instant) -> [Effect] {
        presences[id]?.forgetTold()
        return introduceOurselves(to: id, agreeing: true, at: now)
    }
}
