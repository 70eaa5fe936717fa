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

    /// Translates what the DHT wants.
    mutating func introduce(_ effects: [DHT.Effect], at now: Instant) -> [Effect] {
        var translated: [Effect] = []
        for effect in effects {
            switch effect {
            case .send(let bytes, let endpoint): translated.append(.sendDHT(bytes, to: endpoint))
            case .value(let value, let id): translated += found(value, for: id, at: now)
            case .finished(let id, let outcome): translated += finished(id, outcome, at: now)
            case .status(let status, let family): translated += connectionChanged(status == .connected, family)
            case .expired, .observedAddress: break
            case .ignored(let reason): translated.append(.ignored(.dht(reason)))
            }
        }
        return translated
    }

    /// Users need not know of what lies between connected and disconnected.
    private mutating func connectionChanged(_ isConnected: Bool, _ family: IPAddress.Family) -> [Effect] {
        guard connectedFamilies.contains(family) != isConnected else { return [] }
        connectedFamilies.removeAll { $0 == family }
        if isConnected { connectedFamilies.append(family) }
        return [.event(.network(family: family, isConnected: isConnected))]
    }

    private mutating func found(_ value: Value, for id: OperationID, at now: Instant) -> [Effect] {
        switch operations[id] {
        case .requests: requestArrived(value)
        case .replies(let link): replyArrived(value, for: link)
        case .devices(let errand): announcementFound(value, for: errand, at: now)
        case .linkCertificate(let link): certificateFound(value, for: link, operation: id, at: now)
        case .requestCertificate(let sender): certificateFound(value, of: sender, operation: id, at: now)
        case .publishing, .sending, nil: []
        }
    }

    private mutating func finished(_ id: OperationID, _ outcome: DHT.Outcome, at now: Instant) -> [Effect] {
        guard let operation = operations[id] else { return [] }
        let isCompleted = if case .completed = outcome { true } else { false }
        switch operation {
        case .publishing(let isAnnouncement):
            guard isAnnouncement else { return certificateStored() }
            return isCompleted ? [.event(.announced)] : []
        case .devices(let errand):
            operations[id] = nil
            return lookupFinished(for: errand, reached: isCompleted, at: now)
        case .linkCertificate(let link):
            operations[id] = nil
            return certificateMissing(for: link, at: now)
        case .requestCertificate(let sender):
            operations[id] = nil
            guard inbox.holds(sender) else { return [] }
            _ = inbox.release(sender)
            return [.ignored(.unknownSender(sender))]
        case .sending:
            operations[id] = nil
            return []
        case .requests, .replies: return []
        }
    }

    /// Ends an operation that has served its purpose.
    mutating func end(_ id: OperationID, at now: Instant) -> [Effect] {
        operations[id] = nil
        return introduce(dht.cancel(id, at: now), at: now)
    }

    /// A chain from a certificate value, if it holds and belongs to this device.
    func trustedChain(_ value: Value, of device: DeviceID, at now: Instant) -> CertificateChain? {
        guard value.type == .certificate, let data = value.body?.data,
            let chain = try? CertificateChain(decoding: data),
            chain.device.shortID == device,
            (try? configuration.trust.verify(chain, at: clock.unixSeconds(at: now))) != nil
        else { return nil }
        return chain
    }

    // MARK: - Work

    /// Takes the result of work.
    package mutating func worked(_ id: WorkID, _ result: Work.Result, at now: Instant) -> [Effect] {
        guard let purpose = work.removeValue(forKey: id) else { return [.ignored(.gone)] }
        switch purpose {
        case .incomingRequest, .reply: inbox.opening -= 1
        case .announcement, .description: break
        }
        switch (purpose, result) {
        case (.announcement, .value(let value)):
            let operation = begin(.publishing(isAnnouncement: true))
            return introduce(
                dht.put(value, at: InfoHash(account.accountID), permanently: true, as: operation, at: now), at: now)
        case (.description(let link, let key), .value(let value)):
            return described(value, at: key, for: link, at: now)
        case (.incomingRequest, .body(let body)): return requestOpened(body, at: now)
        case (.reply(let link), .body(let body)): return replyOpened(body, for: link, at: now)
        case (.incomingRequest, _), (.reply, _), (.announcement, _): return [.ignored(.unusableRequest)]
        case (.description(let link, _), _): return failed(link, because: .unreachable, at: now)
        }
    }
}
