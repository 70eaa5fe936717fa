package import SansIO
internal import SecureChannel
internal import SwiftDHT

extension NodeCore {
    /// Takes a datagram from one of the DHT's sockets.
    package mutating func receiveDHT(_ datagram: Span<UInt8>, from peer: Endpoint, at now: Instant) -> [Effect] {
        introduce(dht.receive(datagram, from: peer, at: now), at: now)
    }

    /// Takes a datagram from one of the DHT's sockets.
    package mutating func receiveDHT(_ datagram: [UInt8], from peer: Endpoint, at now: Instant) -> [Effect] {
        receiveDHT(datagram.span, from: peer, at: now)
    }

    /// Reports that nothing can be sent to an endpoint.
    package mutating func sendDHTFailed(to endpoint: Endpoint, at now: Instant) -> [Effect] {
        introduce(dht.sendFailed(to: endpoint, at: now), at: now)
    }

    /// Reports that nobody listens at an endpoint, as the network says.
    package mutating func refusedDHT(by endpoint: Endpoint, at now: Instant) -> [Effect] {
        introduce(dht.refused(by: endpoint, at: now), at: now)
    }

    /// Translates what the DHT wants.
    mutating func introduce(_ effects: [DHT.Effect], at now: Instant) -> [Effect] {
        var translated: [Effect] = []
        for effect in effects {
            switch effect {
            case .send(let bytes, let endpoint): translated.append(.sendDHT(bytes, to: endpoint))
            case .value(let value, let id): translated += found(value, for: id, at: now)
            case .finished(let id, let outcome): translated += finished(id, outcome, at: now)
            case .status(let status, let family): translated += connectionChanged(status == .connected, family, at: now)
            case .expired(let value, let id):
                guard case .presence(let contact) = operations[id] else { continue }
                translated += announcementGone(value, of: contact)
            case .examine(let value, let id): translated.append(begin(.examine(value), for: .examination(id)))
            case .row, .observedAddress: break
            case .ignored(let reason): translated.append(.ignored(.dht(reason)))
            }
        }
        return translated
    }

    /// Users need not know of what lies between connected and disconnected.
    private mutating func connectionChanged(
        _ isConnected: Bool, _ family: IPAddress.Family, at now: Instant
    ) -> [Effect] {
        guard connectedFamilies.contains(family) != isConnected else { return [] }
        connectedFamilies.removeAll { $0 == family }
        if isConnected { connectedFamilies.append(family) }
        let event = Effect.event(.network(family: family, isConnected: isConnected))
        return isConnected ? [event] + seekLinks(at: now) : [event]
    }

    private mutating func found(_ value: Value, for id: OperationID, at now: Instant) -> [Effect] {
        switch operations[id] {
        case .mailbox(let mailbox): mailArrived(value, in: mailbox)
        case .callReplies(let link): callReplyArrived(value, for: link)
        case .devices(let errand): announcementFound(value, for: errand, at: now)
        case .presence(let contact): announcementSeen(value, of: contact, at: now)
        case .certificate(let device): certificateFound(value, of: device, at: now)
        case .publishing, .sending, .letter, nil: []
        }
    }

    private mutating func finished(_ id: OperationID, _ outcome: DHT.Outcome, at now: Instant) -> [Effect] {
        guard let operation = operations[id] else { return [] }
        let isCompleted = if case .completed = outcome { true } else { false }
        switch operation {
        case .publishing(let isAnnouncement):
            guard isAnnouncement else { return certificateStored(at: now) }
            return isCompleted ? [.event(.announced)] : []
        case .devices(let errand):
            operations[id] = nil
            return lookupFinished(for: errand, reached: isCompleted, at: now)
        case .certificate(let device):
            operations[id] = nil
            return certificateMissing(of: device, operation: id, at: now)
        case .sending:
            operations[id] = nil
            return []
        case .letter(let contact, let device):
            operations[id] = nil
            return isCompleted ? [.event(.contactAsked(contact, device: device))] : []
        case .mailbox, .callReplies, .presence: return []
        }
    }

    /// Ends an operation that has served its purpose.
    mutating func end(_ id: OperationID, at now: Instant) -> [Effect] {
        operations[id] = nil
        return introduce(dht.cancel(id, at: now), at: now)
    }

    // MARK: - Work

    /// Takes the result of work.
    package mutating func worked(_ id: WorkID, _ result: Work.Result, at now: Instant) -> [Effect] {
        guard let purpose = work.removeValue(forKey: id) else { return [.ignored(.gone)] }
        var effects: [Effect] = []
        switch purpose {
        case .mail, .callReply:
            inbox.opening -= 1
            effects = openNext()
        case .announcement, .description, .letter, .confirmation, .examination: break
        }
        return effects + worked(for: purpose, result, at: now)
    }

    private mutating func worked(for purpose: Purpose, _ result: Work.Result, at now: Instant) -> [Effect] {
        switch (purpose, result) {
        case (.announcement, .value(let value)):
            let operation = begin(.publishing(isAnnouncement: true))
            return introduce(
                dht.put(value, at: InfoHash(account.accountID), permanently: true, as: operation, at: now), at: now)
        case (.description(let link, let keys), .value(let value)):
            return described(value, at: keys, for: link, at: now)
        case (.letter(let key, let id, let device), .value(let value)):
            return sealed(value, at: key, for: id, device: device, at: now)
        case (.confirmation(let key), .value(let value)): return confirmed(value, at: key, at: now)
        case (.examination(let id), .examination(let examination)):
            return introduce(dht.examined(id, examination, at: now), at: now)
        case (.examination(let id), _): return introduce(dht.examined(id, nil, at: now), at: now)
        case (.mail(let mailbox), .body(let body)): return mailOpened(body, in: mailbox, at: now)
        case (.callReply(let link), .body(let body)): return callReplyOpened(body, for: link, at: now)
        case (.mail, _), (.callReply, _), (.announcement, _), (.letter, _), (.confirmation, _):
            return [.ignored(.unusableRequest)]
        case (.description(let link, _), _): return failed(link, because: .unreachable, at: now)
        }
    }
}
