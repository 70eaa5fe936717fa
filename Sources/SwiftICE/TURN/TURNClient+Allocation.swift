public import SansIO

extension TURNClient {
    /// Frees the allocation and ends (RFC 8656 §8).
    ///
    /// A driver in a hurry sends what this returns and forgets the client.
    public mutating func release(at now: Instant) -> [Effect] {
        switch phase {
        case .idle: return end(.released)
        case .allocating:
            // The server may grant it yet; then it is freed at once.
            phase = .releasing
            return []
        case .allocated:
            phase = .releasing
            return askForRelease(at: now)
        case .releasing, .ended: return [.ignored(.wrongState)]
        }
    }

    private mutating func askForRelease(at now: Instant) -> [Effect] {
        ask(.refresh, [.lifetime(seconds: 0)], for: .release, at: now)
    }

    mutating func allocate(at now: Instant) -> [Effect] {
        var attributes: [Attribute] = [.requestedTransport(request.transport.rawValue)]
        if let lifetime = request.lifetime {
            attributes.append(.lifetime(seconds: UInt32(clamping: lifetime.components.seconds)))
        }
        switch request.families {
        case .v4: break
        case .v6: attributes.append(.requestedAddressFamily(.v6))
        case .both:
            attributes.append(.additionalAddressFamily(.v6))
            attributes.append(.unknown(.draftAdditionalAddressFamily, [2, 0, 0, 0]))
        }
        switch wishedPort {
        case .any: break
        case .even: attributes.append(.unknown(.evenPort, [0]))
        case .evenAndNext: attributes.append(.unknown(.evenPort, [0x80]))
        case .reserved(let token): attributes.append(.reservationToken(token))
        }
        return ask(.allocate, attributes, for: .allocate, at: now)
    }

    mutating func allocated(_ message: Message, at now: Instant) -> [Effect] {
        guard phase == .allocating else { return askForRelease(at: now) }
        guard let allocation = Allocation(message, request, limit: configuration.lifetimeLimit) else {
            return end(.unusable)
        }
        self.allocation = allocation
        phase = .allocated
        schedule(allocation.lifetime, at: now)
        var effects: [Effect] = [.allocated(allocation)]
        for address in peers.map(\.address) { effects += work(address, at: now) }
        return effects
    }

    mutating func allocationFailed(_ failure: STUNClient.Failure, at now: Instant) -> [Effect] {
        guard phase == .allocating else { return end(.released) }
        switch failure {
        case .rejected(.allocationMismatch): return end(.mismatch)
        case .notUnderstood(let types) where types.contains(.evenPort) || types.contains(.reservationToken):
            return allocateWithoutWish(failure, at: now)
        case .rejected(.insufficientCapacity): return allocateWithoutWish(failure, at: now)
        default: return end(.refused(failure))
        }
    }

    /// A port that cannot be had is better than no relay.
    private mutating func allocateWithoutWish(_ failure: STUNClient.Failure, at now: Instant) -> [Effect] {
        guard wishedPort != .any else { return end(.refused(failure)) }
        wishedPort = .any
        return allocate(at: now)
    }

    // MARK: Staying

    private mutating func schedule(_ lifetime: Duration, at now: Instant) {
        let margin = min(lifetime - .seconds(60), lifetime * 5 / 6)
        timers.set(.refresh, at: now.advanced(by: max(margin, lifetime / 2)))
        timers.set(.expiry, at: now.advanced(by: lifetime))
    }

    mutating func refresh(at now: Instant) -> [Effect] {
        guard phase == .allocated else { return [] }
        let asked = request.lifetime.map { [Attribute.lifetime(seconds: UInt32(clamping: $0.components.seconds))] }
        return ask(.refresh, asked ?? [], for: .refresh, at: now)
    }

    mutating func refreshed(_ message: Message, at now: Instant) -> [Effect] {
        guard phase == .allocated else { return [] }
        guard let lifetime = Allocation.lifetime(message, limit: configuration.lifetimeLimit) else { return end(.lost) }
        schedule(lifetime, at: now)
        return []
    }

    /// Without an answer there is time to ask again; a refusal is final.
    mutating func refreshFailed(_ failure: STUNClient.Failure, at now: Instant) -> [Effect] {
        guard phase == .allocated else { return [] }
        switch failure {
        case .noAnswer, .tampered, .overloaded:
            timers.set(.refresh, at: now.advanced(by: configuration.retryInterval))
            return []
        default: return end(.lost)
        }
    }

    /// Reminds NATs of the leg when it was silent; needs no answer.
    mutating func keepAlive(at now: Instant) -> [Effect] {
        var effects: [Effect] = []
        if phase == .allocated, lastSent.duration(to: now) >= configuration.keepalive {
            let builder = MessageBuilder(.indication, .binding, TransactionID(random: &random))
            effects = [send(builder.finishedWithFingerprint(), at: now)]
        }
        let next = max(lastSent.advanced(by: configuration.keepalive), now.advanced(by: .milliseconds(100)))
        timers.set(.keepalive, at: next)
        return effects
    }
}

extension TURNClient.Allocation {
    /// Reads what a server granted; `nil` when it is not what was asked for, or cannot be used.
    fileprivate init?(_ message: Message, _ request: TURNClient.Request, limit: Duration) {
        var relayed: [Endpoint] = []
        for case .xorAddress(_, let address) in message.all(.xorRelayedAddress) {
            guard relayed.allSatisfy({ $0.address.family != address.address.family }) else { continue }
            guard request.families.includes(address.address.family), address.port != 0,
                !address.address.isUnspecified, !address.address.isMulticast
            else { continue }
            relayed.append(address)
        }
        guard !relayed.isEmpty, let lifetime = Self.lifetime(message, limit: limit) else { return nil }
        self.relayed = relayed
        self.lifetime = lifetime
        if case .xorAddress(_, let endpoint) = message.first(.xorMappedAddress) {
            mapped = endpoint.unmapped
        } else {
            mapped = nil
        }
        if case .reservationToken(let token) = message.first(.reservationToken) {
            reservation = token
        } else {
            reservation = nil
        }
    }

    /// The lifetime a server granted, 600 s where it does not say (RFC 8656 §3.2); `nil` when there is none left.
    fileprivate static func lifetime(_ message: Message, limit: Duration) -> Duration? {
        guard case .lifetime(let seconds) = message.first(.lifetime) else { return .seconds(600) }
        return seconds == 0 ? nil : min(.seconds(Int64(seconds)), limit)
    }
}

extension TURNClient.Request.Families {
    fileprivate func includes(_ family: IPAddress.Family) -> Bool {
        switch self {
        case .v4: family == .v4
        case .v6: family == .v6
        case .both: true
        }
    }
}
