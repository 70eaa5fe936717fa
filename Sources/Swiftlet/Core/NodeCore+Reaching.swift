internal import SIPLite
internal import SansIO
internal import SecureChannel
internal import SwiftDHT

/// The ways from what the user wants to the peer's devices.
extension NodeCore {
    /// Tells what happened on the way to a device, to those who still want to know: links outlive their calls.
    func tell(_ errands: [Errand], _ event: CallEvent) -> [Effect] {
        errands.compactMap { errand in
            guard case .call(let call) = errand, calls[call] != nil else { return nil }
            return .event(.call(call, event))
        }
    }

    /// Finds the devices of an account: by links that are there, and by what the DHT knows.
    mutating func reach(
        _ peer: AccountID, for errand: Errand, saying message: Message? = nil, at now: Instant
    ) -> [Effect] {
        errands[errand] = ErrandRecord(peer: peer, message: message)
        var effects: [Effect] = []
        for link in linkOrder {
            guard let record = links[link], record.isOpen, record.account == peer, record.machine.dialect.keepsLinks,
                errands[errand]?.devices.contains(record.device) == false
            else { continue }
            errands[errand]?.devices.append(record.device)
            effects += tell([errand], .deviceFound(record.device)) + reuse(link, for: errand, at: now)
        }
        for device in presences[peer]?.devices ?? [] { effects += found(device, for: errand, at: now) }
        _ = calledAccounts.insert(peer)
        let operation = begin(.devices(errand))
        return effects + introduce(dht.get(InfoHash(peer), as: operation, at: now), at: now)
    }

    /// A value at the peer's account: maybe the announcement of a device.
    mutating func announcementFound(_ value: Value, for errand: Errand, at now: Instant) -> [Effect] {
        guard let peer = errands[errand]?.peer, let device = AnnouncedDevice(value, of: peer) else { return [] }
        return found(device, for: errand, at: now)
    }

    private mutating func found(_ device: AnnouncedDevice, for errand: Errand, at now: Instant) -> [Effect] {
        guard let record = errands[errand], device.id != account.deviceID, !record.devices.contains(device.id) else {
            return []
        }
        guard record.devices.count < configuration.deviceLimit else { return [.ignored(.overLimit("devices"))] }
        errands[errand]?.devices.append(device.id)
        return tell([errand], .deviceFound(device.id))
            + connect(to: device.id, key: device.key, of: record.peer, for: errand, at: now)
    }

    /// The DHT has nothing more to tell about the peer's devices.
    mutating func lookupFinished(for errand: Errand, reached: Bool, at now: Instant) -> [Effect] {
        errands[errand]?.isLooking = false
        if errands[errand]?.devices.isEmpty == true { errands[errand]?.lastFailure = reached ? .notFound : .offline }
        return concludeIfExhausted(errand, at: now)
    }

    /// Gets a link to a device: one that is there or under way, or a new one.
    mutating func connect(
        to device: DeviceID, key: PublicKey?, of peer: AccountID, for errand: Errand, at now: Instant
    ) -> [Effect] {
        let known = linkOrder.filter { link in
            links[link].map { $0.device == device && $0.account == peer } ?? false
        }
        if let open = known.first(where: { links[$0]?.isOpen == true && links[$0]?.machine.dialect.keepsLinks == true })
        {
            return reuse(open, for: errand, at: now)
        }
        if let rising = known.first(where: { links[$0]?.stage == .rising && links[$0]?.isOutgoing == true }) {
            expect(rising, for: errand)
            return []
        }
        let (hasRoom, effects) = makeRoom(at: now)
        return hasRoom ? effects + request(device, key: key, of: peer, for: errand, at: now) : effects
    }

    /// An errand waits for a link.
    mutating func expect(_ link: LinkID, for errand: Errand) {
        links[link]?.errands.append(errand)
        errands[errand]?.openLinks.append(link)
    }

    /// Errands that wait for another link to the same device take the one that is ready first.
    mutating func gatherErrands(for link: LinkID) {
        let device = links[link]?.device
        for rival in linkOrder where rival != link && links[rival]?.device == device {
            guard let record = links[rival], record.stage == .rising else { continue }
            links[rival]?.errands = []
            for errand in record.errands {
                errands[errand]?.openLinks.removeAll { $0 == rival }
                expect(link, for: errand)
            }
        }
    }

    /// A link will not serve an errand any further.
    mutating func linkGone(_ link: LinkID, from errand: Errand, at now: Instant) -> [Effect] {
        errands[errand]?.openLinks.removeAll { $0 == link }
        return concludeIfExhausted(errand, at: now)
    }

    mutating func concludeIfExhausted(_ errand: Errand, at now: Instant) -> [Effect] {
        guard let record = errands[errand], record.isExhausted else { return [] }
        errands[errand] = nil
        let why = record.lastFailure ?? .notFound
        switch errand {
        case .call(let call):
            return introduce(calls[call]?.noMoreDevices(because: why, at: now) ?? [], of: call, at: now)
        case .message(let number): return [.event(.messageOutcome(number, .failed(why)))]
        case .carry(let call): return carryLater(call, at: now)
        }
    }

    /// SIP runs on a link that was wanted.
    mutating func reached(_ link: LinkID, over flow: FlowID, for errand: Errand, at now: Instant) -> [Effect] {
        guard let record = links[link] else { return [] }
        var effects: [Effect] = []
        switch errand {
        case .call(let call):
            guard calls[call] != nil else { break }
            let sip = SIPLite.CallID(rawValue: nextNumber())
            sipCalls[sip] = call
            occupy(link, with: call)
            // Peers of the first flow are addressed by their device.
            let user = record.machine.dialect == .direct ? record.device : record.account
            let input = calls[call]?.reached(user.hex, on: flow, as: sip, traits: record.traits, at: now)
            effects = introduce(input ?? [], of: call, at: now)
        case .carry(let call): effects = carry(call, to: link, over: flow, at: now)
        case .message(let number):
            guard let message = errands[errand]?.message else { break }
            let id = SIPLite.MessageID(rawValue: nextNumber())
            messagesInFlight[id] = (number, link)
            errands[errand]?.unansweredMessages += 1
            effects = introduce(
                userAgent.sendMessage(Body(message), on: flow, to: record.account.hex, as: id, at: now), at: now)
        }
        let isDoubtful = links[link]?.doubtfulErrands.contains(errand) ?? false
        return isDoubtful ? effects : effects + linkGone(link, from: errand, at: now)
    }

    /// A device answered a message, or will not.
    mutating func messageEnded(_ id: SIPLite.MessageID, _ status: Int?, at now: Instant) -> [Effect] {
        guard let (number, link) = messagesInFlight.removeValue(forKey: id) else { return [] }
        settle(link, at: now)
        let errand = Errand.message(number)
        errands[errand]?.unansweredMessages -= 1
        guard let status, (200...299).contains(status) else {
            errands[errand]?.lastFailure = status.map { .refused(status: $0) } ?? .connectionLost
            return concludeIfExhausted(errand, at: now)
        }
        guard errands.removeValue(forKey: errand) != nil else { return [] }
        return [.event(.messageOutcome(number, .delivered))]
    }
}
