public import SansIO

extension TURNClient {
    /// Sends data to a permitted peer: on its channel where one is bound, else in an indication.
    public mutating func send(_ data: [UInt8], to peer: Endpoint, at now: Instant) -> [Effect] {
        guard phase == .allocated, request.transport == .udp else { return [.ignored(.wrongState)] }
        guard data.count <= configuration.dataLimit else { return [.ignored(.overLimit)] }
        guard isPermitted(peer.address) else { return [.ignored(.notPermitted(peer.address))] }
        if let channel = channels.first(where: { $0.peer == peer && $0.phase == .bound }),
            let message = ChannelData(channel: channel.number, data: data)
        {
            return [send(stun.leg == .stream ? message.framed : message.datagram, at: now)]
        }
        var builder = MessageBuilder(.indication, .send, TransactionID(random: &random))
        builder.add(.xorAddress(.xorPeerAddress, peer))
        builder.add(.data(data))
        return [send(builder.finished(), at: now)]
    }

    /// Data on a channel: also before the server's answer that it is bound, and while we do not use it any more.
    func receive(_ message: ChannelData) -> Effect {
        guard let channel = channels.first(where: { $0.number == message.channel }) else {
            return .ignored(.unknownChannel(message.channel))
        }
        guard isPermitted(channel.peer.address) else { return .ignored(.notPermitted(channel.peer.address)) }
        return .received(message.data, from: channel.peer)
    }

    /// Data in an indication, or word of an ICMP error (RFC 8656 §11.4 and §11.6).
    func receive(indication message: Message) -> Effect {
        guard case .xorAddress(_, let peer) = message.first(.xorPeerAddress) else { return .ignored(.incomplete) }
        guard isPermitted(peer.address) else { return .ignored(.notPermitted(peer.address)) }
        if case .data(let data) = message.first(.data) { return .received(data, from: peer) }
        guard case .unknown(_, let value) = message.first(.icmp), value.count == 8 else { return .ignored(.incomplete) }
        let word = UInt16(value[2]) << 8 | UInt16(value[3])
        return .unreachable(peer, ICMPError(type: UInt8(word >> 9), code: word & 0x1FF))
    }
}
