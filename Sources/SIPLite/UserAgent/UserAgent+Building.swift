internal import SansIO

extension UserAgent {
    var allowText: String { configuration.allow.map(\.rawValue).joined(separator: ", ") }

    /// The dialog of a request outside all dialogs.
    mutating func newDialog(on flow: Flow, to user: String) -> Dialog {
        let from = NameAddress(
            displayName: flow.displayName, uri: URI(user: URI.escaped(user: flow.accountID), host: "ring.dht"),
            parameters: Parameters([.init("tag", random.hexDigits(16))]))
        let to = NameAddress(
            uri: URI(scheme: "sips", user: URI.escaped(user: user), host: Host.text(flow.remote.address)))
        return Dialog(
            calling: to, at: flow.target.description, as: from, callID: random.hexDigits(32),
            sequence: UInt32.random(in: 1...65_535, using: &random))
    }

    /// The number for the next request in a call.
    mutating func nextSequence(in call: CallID) -> UInt32 {
        let next = (calls[call]?.dialog.localSequence ?? 0) &+ 1
        calls[call]?.dialog.localSequence = next
        return next
    }

    /// A request with the fields every one has (RFC 3261 §8.1.1, §12.2.1.1), and a branch of its own.
    mutating func request(_ method: Method, in dialog: Dialog, on flow: Flow, sequence: UInt32) -> Message {
        let path = dialog.path
        var message = Message(method, to: path.target)
        let via = Via(
            transport: "TLS", host: Host.text(flow.local.address), port: flow.local.port,
            parameters: Parameters([
                .init("rport"), .init("branch", Via.magicCookie + random.hexDigits(24)), .init("alias"),
            ]))
        message.fields.append(.via, via.description)
        message.fields.append(.maxForwards, "70")
        message.fields.append(.from, dialog.local.description)
        message.fields.append(.to, dialog.remote.description)
        message.fields.append(.callID, dialog.key.callID)
        message.fields.append(.cSeq, CSeq(sequence, method).description)
        for route in path.routes { message.fields.append(.route, route) }
        return message
    }

    /// The request that withdraws an invitation: its twin but for the method (§9.1).
    func cancellation(of invitation: Message) -> Message {
        var message = Message(.cancel, to: invitation.target ?? "")
        for name in [HeaderName.via, .maxForwards, .from, .to, .callID] {
            message.fields.append(name, invitation.fields.first(name) ?? [])
        }
        let number = (try? CSeq(bytes: (invitation.fields.first(.cSeq) ?? [])[...]))?.number ?? 0
        message.fields.append(.cSeq, CSeq(number, .cancel).description)
        message.fields.append(.route, from: invitation.fields)
        message.fields.append(.userAgent, configuration.userAgent)
        return message
    }

    /// A response with the fields every one has (§8.2.6). `tag` is ours, unless the request has one already.
    func response(
        _ status: Int, to request: Message, _ essentials: Essentials, on flow: FlowID, tag: String?
    ) -> Message {
        var message = Message(status: status)
        for (index, via) in essentials.vias.enumerated() {
            message.fields.append(.via, index == 0 ? annotated(via, on: flow).description : via.description)
        }
        message.fields.append(.callID, from: request.fields)
        message.fields.append(.from, from: request.fields)
        var to = request.fields.text(.to) ?? ""
        if let tag, essentials.to.tag == nil { to += ";tag=\(tag)" }
        message.fields.append(.to, to)
        message.fields.append(.cSeq, essentials.cSeq.description)
        return message
    }

    /// A hop with the address it was seen at, if it asks for it (RFC 3581 §4).
    private func annotated(_ via: Via, on flow: FlowID) -> Via {
        var via = via
        guard let remote = flows[flow]?.description.remote, via.parameters.contains("rport") else { return via }
        via.parameters["rport"] = "\(remote.port)"
        via.parameters["received"] = "\(remote.address)"
        return via
    }

    /// Adds what peers read our abilities from.
    func describeOurselves(in message: inout Message) {
        message.fields.append(.allow, allowText)
        if !configuration.supported.isEmpty {
            message.fields.append(.supported, configuration.supported.joined(separator: ", "))
        }
        message.fields.append(.userAgent, configuration.userAgent)
    }

    /// Adds a body.
    func attach(_ body: Body, to message: inout Message) {
        guard !body.bytes.isEmpty else { return }
        message.fields.append(.contentType, body.contentType)
        message.body = body.bytes
    }

    /// What the peer's agent says of itself.
    func facts(of message: Message) -> PeerFacts {
        PeerFacts(
            userAgent: message.fields.text(.userAgent) ?? message.fields.text(.server) ?? "", allow: message.allow)
    }
}

extension Flow {
    /// Where requests outside dialogs go: the peer's address, without a user.
    var target: URI {
        URI(
            scheme: "sips", host: Host.text(remote.address), port: remote.port,
            parameters: Parameters([.init("transport", transport.rawValue)]))
    }

    /// Our `Contact`.
    var contact: String {
        let uri = URI(
            scheme: "sips", user: URI.escaped(user: deviceID), host: Host.text(local.address), port: local.port,
            parameters: Parameters([.init("transport", transport.rawValue)]))
        return NameAddress(displayName: displayName, uri: uri).description
    }
}

extension URI {
    /// A user part with everything escaped that may not stand there (RFC 3261 §25.1, `user`); `nil` for an empty one.
    static func escaped(user: String) -> String? {
        var text = ""
        for byte in user.utf8 {
            if ASCII.isAlphanumeric(byte) || "-_.!~*'()&=+$,;?/".utf8.contains(byte) {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += "%" + Hexadecimal.encode([byte]).uppercased()
            }
        }
        return text.isEmpty ? nil : text
    }
}
