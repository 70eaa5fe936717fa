import SIPLite
import SansIO
import SecureChannel
import SwiftDHT
import SwiftICE
import Swiftlet

/// What the peer says: on links, through the DHT, and to the sockets of sessions.
extension HostilePeerFuzz {
    // MARK: - On links

    /// The links whose other end is the peer, the latest first.
    private var links: [NodeLedger.Channel] {
        ledger.channels.reversed().filter { $0.account == peer.accountID }
    }

    private mutating func receive(_ bytes: [UInt8], on link: NodeLedger.Channel) throws(Finding) {
        guard link.isEstablished else { return }
        try input { $0.secureOutput([.received(bytes)], for: link.link, at: $1) }
    }

    /// Says something in the channel for SIP, or in another one; all at once or in two pieces.
    mutating func say(_ text: [UInt8]) throws(Finding) {
        guard let link = choices.element(of: links) else { return }
        let shape = choices.byte()
        let channel = shape & 0xF0 == 0xF0 ? Multiplexer.ChannelID(rawValue: choices.word()) : channel
        let isFramed = link.transport == .tcp && shape & 0x0F != 0x0F
        let bytes = isFramed ? ChannelFrame(channel: channel, payload: text).bytes : text
        guard shape & 0x0F == 0x0E else { return try receive(bytes, on: link) }
        let middle = Int(choices.word()) % (bytes.count + 1)
        try receive(Array(bytes[..<middle]), on: link)
        try receive(Array(bytes[middle...]), on: link)
    }

    mutating func multiplex() throws(Finding) {
        guard let link = choices.element(of: links) else { return }
        let shape = choices.byte()
        let id = Multiplexer.ChannelID(rawValue: shape & 0x10 == 0 ? 2 + UInt16(shape >> 5) : choices.word())
        let bytes: [UInt8]
        switch shape & 0x0F {
        case 0, 1: bytes = ChannelRequest(name: "sip", channel: id, state: .request).frame.bytes
        case 2: bytes = ChannelRequest(name: "sip", channel: id, state: .accept).frame.bytes
        case 3: bytes = ChannelRequest(name: "sip", channel: id, state: .decline).frame.bytes
        case 4: bytes = ChannelFrame(channel: channel, payload: []).bytes
        case 5: bytes = ChannelFrame(channel: id, payload: choices.bytes()).bytes
        case 6: bytes = ChannelFrame(channel: .control, payload: manyRequests()).bytes
        case 7: bytes = ChannelFrame(channel: .control, payload: choices.bytes()).bytes
        case 8: bytes = ChannelFrame(channel: .protocol, payload: choices.bytes()).bytes
        case 9: bytes = ProtocolMessage.version(UInt32(choices.word())).frame.bytes
        case 10: bytes = ProtocolMessage.ping.frame.bytes
        case 11: bytes = ProtocolMessage.pong.frame.bytes
        case 12:
            let name = String(decoding: choices.bytes(), as: UTF8.self)
            bytes = ChannelRequest(name: name, channel: id, state: .request).frame.bytes
        default: bytes = choices.bytes()
        }
        try receive(bytes, on: link)
    }

    /// Requests for all channels from some number on, as far as a byte counts.
    private mutating func manyRequests() -> [UInt8] {
        let (start, count) = (choices.word(), UInt16(choices.byte()))
        return (0..<count).flatMap { index in
            let id = Multiplexer.ChannelID(rawValue: start &+ index)
            return ChannelRequest(name: "sip", channel: id, state: .request).bytes
        }
    }

    /// What TLS or DTLS may tell at any moment.
    mutating func secure() throws(Finding) {
        guard let link = choices.element(of: links) else { return }
        switch choices.byte() % 8 {
        case 0, 1, 2, 3: try establish(link.link, as: peer)
        case 4: try input { $0.secureOutput([.gap], for: link.link, at: $1) }
        case 5: try input { $0.secureOutput([.send([22, 3, 3])], for: link.link, at: $1) }
        case 6: try input { $0.secureOutput([.closed], for: link.link, at: $1) }
        default: try input { $0.secureOutput([.failed(.alert(0))], for: link.link, at: $1) }
        }
    }

    mutating func establish(_ link: LinkID, as identity: Identity) throws(Finding) {
        guard ledger.channel(of: link)?.isEstablished == false else { return }
        ledger.establish(link)
        let facts = PeerFacts(chain: identity.chain, protocolVersion: "TLS1.3", cipherSuite: "none")
        try input { $0.secureOutput([.established(facts)], for: link, at: $1) }
    }

    // MARK: - Through the DHT

    mutating func mail() throws(Finding) {
        let shape = choices.byte()
        let text = choices.bytes()
        switch shape % 8 {
        case 0, 1, 2:
            let mailbox = shape & 0x10 == 0 ? Mailbox.longID : .shortID
            try mail(request(as: shape), as: ConnectionRequest.userType, .userData, in: mailbox, from: peer)
        case 3:
            let descriptions = SessionOffer(udp: session(shape), tcp: nil).bytes
            let request = CallRequest(id: nextRequest(), descriptions: shape & 0x80 == 0 ? descriptions : text)
            try mail(request.encoded, .iceCandidates, in: .callRequests, from: peer)
        case 4:
            let letter = TrustRequest(
                service: shape & 0x80 == 0 ? TrustRequest.jami : "x", conversationID: "c", payload: text,
                isConfirmation: shape & 0x10 != 0)
            try mail(letter.encoded, .trustRequest, in: .inbox, from: peer)
        case 5:
            let message = InstantMessage(
                id: nextRequest(), content: String(decoding: text, as: UTF8.self), unixSeconds: 0)
            try mail(message.encoded, .instantMessage, in: .inbox, from: peer)
        default:
            let mailbox = choices.element(of: Mailbox.allCases) ?? .inbox
            let types: [ValueType] = [.userData, .iceCandidates, .trustRequest, .instantMessage]
            try mail(
                text, as: ConnectionRequest.userType, choices.element(of: types) ?? .userData, in: mailbox, from: peer)
        }
    }

    mutating func mail(
        _ data: [UInt8], as userType: String = "", _ type: ValueType, in mailbox: Mailbox, from sender: Identity
    ) throws(Finding) {
        let body = ValueBody(type: type, data: data, userType: userType, owner: sender.deviceKey.publicKey.der)
        try input { $0.mailOpened(body, in: mailbox, at: $1) }
    }

    private mutating func nextRequest() -> UInt64 {
        lastRequest += 1
        return lastRequest
    }

    /// A connection request: a proper one over UDP where no shape says otherwise.
    mutating func request(as shape: UInt8 = 0) -> [UInt8] {
        let id = shape & 0x40 == 0 ? nextRequest() : lastRequest
        guard let udp = session(shape) else { return [] }
        var tcp = udp
        if shape & 0x20 == 0 { tcp.candidates = [] }
        let request = ConnectionRequest(
            id: id, session: tcp, isAnswer: shape & 0x80 != 0, connectionType: "audioCall",
            extension: .init(version: 1, udp: udp))
        return request.encoded
    }

    /// A session of the peer: over UDP, or with the text that the bytes choose.
    private mutating func session(_ shape: UInt8) -> SwiftICE.SessionDescription? {
        let lines = "peer0000\n\(HostileSIP.password)\nH1 1 UDP 2130706431 10.0.0.2 2001 typ host\n"
        let text = shape & 0x08 == 0 ? lines : lines + String(decoding: choices.bytes(), as: UTF8.self)
        return try? SwiftICE.SessionDescription(text: text)
    }

    // MARK: - The driver

    /// Sockets are opened, or cannot be; work is done, or fails.
    mutating func drive() throws(Finding) {
        let shape = choices.byte()
        guard shape & 3 != 3 else {
            guard let id = choices.element(of: ledger.work) else { return }
            ledger.work.removeAll { $0 == id }
            return try input { $0.worked(id, .failed, at: $1) }
        }
        guard let session = choices.element(of: ledger.wanted)?.session else { return }
        guard shape & 0xF0 == 0xF0 else { return try gather(session) }
        ledger.wanted.removeAll { $0.session == session }
        try input { $0.gathered([], for: session, at: $1) }
    }

    mutating func gather(_ session: SessionID) throws(Finding) {
        guard let index = ledger.wanted.firstIndex(where: { $0.session == session }) else { return }
        let bases = ledger.wanted.remove(at: index).components.map {
            ICEAgent.Finding.base(
                ICEAgent.Base(
                    component: $0, endpoint: Self.base(of: session, component: $0),
                    transport: session.transport == .tcp ? .tcp : .udp))
        }
        try input { $0.gathered(bases, for: session, at: $1) }
    }

    private static func base(of session: SessionID, component: Int) -> Endpoint {
        let number =
            switch session {
            case .control(let link, let transport): Int(link.rawValue) * 2 + (transport == .tcp ? 0 : 1)
            case .media(let call, let number): 8_000 + Int(call.rawValue) * 64 + number * 2 + component
            }
        return Endpoint(.v4(0x0A00_0001), port: UInt16(truncatingIfNeeded: 10_000 + number))
    }

    // MARK: - To sockets

    mutating func network() throws(Finding) {
        switch choices.byte() % 8 {
        case 0, 1, 2:
            guard let check = choices.element(of: ledger.checks) else { return }
            let own = choices.byte() & 1 == 0 ? HostileSIP.password : sip.password
            try answer(check, under: own ?? HostileSIP.password)
        case 3, 4: try check()
        case 5: try stray()
        default: try connection()
        }
    }

    mutating func answer(_ check: NodeLedger.Check, under password: String) throws(Finding) {
        guard let request = try? SwiftICE.Message(decoding: check.bytes) else { return }
        var builder = MessageBuilder(.success, .binding, request.transaction)
        builder.add(.xorAddress(.xorMappedAddress, check.base))
        builder.addIntegrity(IntegrityKey(shortTerm: password))
        let bytes = builder.finishedWithFingerprint()
        try input { $0.receive(bytes, for: check.session, on: check.base, from: check.peer, at: $1) }
    }

    /// A check of the peer on a session.
    private mutating func check() throws(Finding) {
        let call = sip.credentials.flatMap {
            SwiftICE.Credentials(fragment: $0.usernameFragment, password: $0.password)
        }
        guard let session = choices.element(of: ledger.open),
            let own = choices.element(of: [call].compactMap(\.self) + ledger.credentials)
        else { return }
        let shape = choices.byte()
        var builder = MessageBuilder(.request, .binding, TransactionID(high: 1, low: UInt64(shape)))
        builder.add(.username("\(own.fragment):peer000\(shape >> 2 & 3)"))
        builder.add(.priority(shape & 0x10 == 0 ? 1_000 : .max))
        builder.add(shape & 1 == 0 ? .iceControlling(UInt64(shape)) : .iceControlled(UInt64(shape)))
        if shape & 2 == 0 { builder.add(.useCandidate) }
        builder.addIntegrity(IntegrityKey(shortTerm: own.password))
        try deliver(builder.finishedWithFingerprint(), to: session)
    }

    private mutating func stray() throws(Finding) {
        guard let session = choices.element(of: ledger.open) else { return }
        try deliver(choices.bytes(), to: session)
    }

    private mutating func deliver(_ bytes: [UInt8], to session: SessionID) throws(Finding) {
        let (component, port) = (Int(choices.byte() % 2) + 1, UInt16(choices.byte()))
        let known = ledger.checks.last { $0.session == session }
        let base = known?.base ?? Self.base(of: session, component: component)
        let source = (port & 0x80 == 0 ? known?.peer : nil) ?? Endpoint(.v4(0x0A00_0002), port: 2_000 + port)
        try input { $0.receive(bytes, for: session, on: base, from: source, at: $1) }
    }

    /// A connection of a session is opened, brings bytes, or ends.
    private mutating func connection() throws(Finding) {
        let shape = choices.byte()
        guard shape & 3 != 0, let known = choices.element(of: ledger.connections) else {
            guard let session = choices.element(of: ledger.open) else { return }
            let peer = Endpoint(.v4(0x0A00_0002), port: 1_000 + UInt16(shape))
            _ = core.accept(for: session, on: Self.base(of: session, component: 1), from: peer, at: now)
            return
        }
        switch shape & 3 {
        case 1:
            let local = Self.base(of: known.session, component: 1)
            try input { $0.connected(known.id, for: known.session, local: local, at: $1) }
        case 2:
            let bytes = choices.bytes()
            let frame = [UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes
            try input { $0.receive(shape & 4 == 0 ? frame : bytes, for: known.session, on: known.id, at: $1) }
        default: if shape >= 224 { try input { $0.disconnected(known.id, for: known.session, at: $1) } }
        }
    }
}
