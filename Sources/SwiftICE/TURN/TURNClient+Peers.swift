public import SansIO

/// A peer address of an allocation, and what is asked of the server about it, one request at a time.
///
/// Servers refuse requests about one peer that overlap, and one refused address fails a request with several.
struct Peer: Sendable {
    enum Permission: Hashable, Sendable {
        case asked
        case granted(until: Instant)
        case refused
    }

    enum Work: Hashable, Sendable {
        case permission
        case channel(UInt16)
    }

    let address: IPAddress
    var permission = Permission.asked
    /// What the server is asked now.
    var current: Work?
    /// What it is asked next; each at most once.
    var waiting: [Work] = []
    /// Whether the permission is kept.
    var isWanted = true
}

/// A channel of an allocation; its number stays with its peer to the end (RFC 8656 §12).
struct Channel: Sendable {
    enum Phase: Hashable, Sendable {
        case binding
        case bound
        /// Not bound any more, or never.
        case idle
    }

    let number: UInt16
    let peer: Endpoint
    var phase = Phase.binding
}

extension TURNClient {
    /// The numbers that may be bound (RFC 8656 §12).
    static let channelNumbers: ClosedRange<UInt16> = 0x4000...0x4FFF

    /// Whether the peer's address may send and be sent to now.
    public func isPermitted(_ address: IPAddress) -> Bool {
        if case .granted? = peers.first(where: { $0.address == address })?.permission { true } else { false }
    }

    /// Lets a peer's address through, whatever its port, and keeps it so; asked once the allocation stands.
    public mutating func permit(_ address: IPAddress, at now: Instant) -> [Effect] {
        guard phase != .releasing, phase != .ended else { return [.ignored(.wrongState)] }
        if let index = peers.firstIndex(where: { $0.address == address }) {
            peers[index].isWanted = true
            guard case .refused = peers[index].permission else {
                if case .granted = peers[index].permission { return [.permitted(address)] }
                return []
            }
            peers[index].permission = .asked
        } else {
            guard peers.count < configuration.peerLimit else { return [.ignored(.overLimit)] }
            peers.append(Peer(address: address))
        }
        return enqueue(.permission, address, at: now)
    }

    /// Lets the permission and the channels of a peer's address run out.
    public mutating func forget(_ address: IPAddress) {
        guard let index = peers.firstIndex(where: { $0.address == address }) else { return }
        timers.cancel(.permission(address))
        for channel in channels.indices where channels[channel].peer.address == address {
            channels[channel].phase = .idle
            timers.cancel(.channel(channels[channel].number))
        }
        peers[index].waiting = []
        peers[index].isWanted = false
        if peers[index].current == nil { peers.remove(at: index) }
    }

    /// Binds a channel to a permitted peer, so that data need 4 bytes more instead of 36; best when a pair is chosen.
    public mutating func bindChannel(to peer: Endpoint, at now: Instant) -> [Effect] {
        guard phase == .allocated, request.transport == .udp else { return [.ignored(.wrongState)] }
        guard isPermitted(peer.address) else { return [.ignored(.notPermitted(peer.address))] }
        if let index = channels.firstIndex(where: { $0.peer == peer }) {
            guard channels[index].phase == .idle else { return [] }
            channels[index].phase = .binding
            return enqueue(.channel(channels[index].number), peer.address, at: now)
        }
        let number = Int(Self.channelNumbers.lowerBound) + channels.count
        guard channels.count < configuration.channelLimit, number <= Self.channelNumbers.upperBound else {
            return [.ignored(.overLimit)]
        }
        channels.append(Channel(number: UInt16(number), peer: peer))
        return enqueue(.channel(UInt16(number)), peer.address, at: now)
    }

    // MARK: One request at a time

    private mutating func enqueue(_ item: Peer.Work, _ address: IPAddress, at now: Instant) -> [Effect] {
        guard let index = peers.firstIndex(where: { $0.address == address }) else { return [] }
        if peers[index].current != item, !peers[index].waiting.contains(item) { peers[index].waiting.append(item) }
        return work(address, at: now)
    }

    /// Asks the server the next thing about a peer, unless it is busy with one.
    mutating func work(_ address: IPAddress, at now: Instant) -> [Effect] {
        guard phase == .allocated, let allocation,
            let index = peers.firstIndex(where: { $0.address == address }), peers[index].current == nil,
            !peers[index].waiting.isEmpty
        else { return [] }
        let item = peers[index].waiting.removeFirst()
        peers[index].current = item
        switch item {
        case .permission:
            guard allocation.relayed.contains(where: { $0.address.family == address.family }) else {
                return permissionFailed(address, .rejected(.peerAddressFamilyMismatch), at: now)
            }
            let peer = Attribute.xorAddress(.xorPeerAddress, Endpoint(address, port: 0))
            return ask(.createPermission, [peer], for: .permission(address), at: now)
        case .channel(let number):
            let peer = channels[Int(number - Self.channelNumbers.lowerBound)].peer
            let attributes: [Attribute] = [.channelNumber(number), .xorAddress(.xorPeerAddress, peer)]
            return ask(.channelBind, attributes, for: .channel(number), at: now)
        }
    }

    /// The server answered; returns where the peer is now, or `nil` when nobody wants it any more.
    private mutating func answered(_ address: IPAddress) -> Int? {
        guard let index = peers.firstIndex(where: { $0.address == address }) else { return nil }
        peers[index].current = nil
        guard peers[index].isWanted else {
            peers.remove(at: index)
            return nil
        }
        return index
    }

    // MARK: Permissions

    private mutating func grant(_ index: Int, at now: Instant) -> [Effect] {
        var isNew = true
        if case .granted = peers[index].permission { isNew = false }
        let address = peers[index].address
        peers[index].permission = .granted(until: now.advanced(by: configuration.permissionLifetime))
        timers.set(.permission(address), at: now.advanced(by: configuration.permissionInterval))
        return isNew ? [.permitted(address)] : []
    }

    mutating func permitted(_ address: IPAddress, at now: Instant) -> [Effect] {
        guard let index = answered(address) else { return [] }
        return grant(index, at: now) + work(address, at: now)
    }

    mutating func permissionFailed(_ address: IPAddress, _ failure: STUNClient.Failure, at now: Instant) -> [Effect] {
        guard let index = answered(address) else { return [] }
        let retry = now.advanced(by: configuration.retryInterval)
        if failure == .noAnswer, case .granted(let end) = peers[index].permission, retry < end {
            timers.set(.permission(address), at: retry)
            return work(address, at: now)
        }
        peers[index].permission = .refused
        peers[index].waiting.removeAll()
        for channel in channels.indices where channels[channel].peer.address == address {
            channels[channel].phase = .idle
            timers.cancel(.channel(channels[channel].number))
        }
        return [.permissionFailed(address, failure)]
    }

    mutating func refreshPermission(_ address: IPAddress, at now: Instant) -> [Effect] {
        enqueue(.permission, address, at: now)
    }

    // MARK: Channels

    mutating func bound(_ number: UInt16, at now: Instant) -> [Effect] {
        let index = Int(number - Self.channelNumbers.lowerBound)
        let peer = channels[index].peer
        guard let position = answered(peer.address) else { return [] }
        let isNew = channels[index].phase == .binding
        var effects = grant(position, at: now)
        if channels[index].phase != .idle {
            channels[index].phase = .bound
            // Binding anew refreshes the permission, too, so that one request does for both.
            timers.cancel(.permission(peer.address))
            timers.set(.channel(number), at: now.advanced(by: configuration.channelInterval))
        }
        if isNew { effects.append(.bound(channel: number, to: peer)) }
        return effects + work(peer.address, at: now)
    }

    mutating func bindingFailed(_ number: UInt16, _ failure: STUNClient.Failure, at now: Instant) -> [Effect] {
        let index = Int(number - Self.channelNumbers.lowerBound)
        let peer = channels[index].peer
        guard let position = answered(peer.address) else { return [] }
        channels[index].phase = .idle
        if case .granted(let end) = peers[position].permission, now < end {
            timers.set(.permission(peer.address), at: now.advanced(by: .milliseconds(1)))
        }
        return [.bindingFailed(peer, failure)] + work(peer.address, at: now)
    }

    mutating func refreshChannel(_ number: UInt16, at now: Instant) -> [Effect] {
        enqueue(.channel(number), channels[Int(number - Self.channelNumbers.lowerBound)].peer.address, at: now)
    }
}
