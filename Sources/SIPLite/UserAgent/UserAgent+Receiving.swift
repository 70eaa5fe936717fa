public import SansIO

extension UserAgent {
    /// Takes bytes that arrived on a flow: any piece of a byte stream, or one datagram.
    public mutating func receive(_ bytes: Span<UInt8>, on flow: FlowID, at now: Instant) -> [Effect] {
        guard let description = flows[flow]?.description else { return [.ignored(.unknownFlow(flow))] }
        guard description.isByteStream else {
            do throws(WireError) {
                return take(try Message(datagram: bytes, limits: configuration.limits), on: flow, at: now)
            } catch {
                return [.ignored(.malformed(error))]
            }
        }
        let frames = flows[flow]?.framer.receive(bytes) ?? []
        if description.isReliable { watchFramer(of: flow, hasMoved: !frames.isEmpty, at: now) }
        return frames.flatMap { take($0, on: flow, at: now) }
    }

    /// A message that is never finished must not hold the flow for ever.
    private mutating func watchFramer(of flow: FlowID, hasMoved: Bool, at now: Instant) {
        let isUnfinished = flows[flow]?.framer.isUnfinished ?? false
        if hasMoved || !isUnfinished { timers.cancel(.unfinished(flow)) }
        if isUnfinished, !timers.isSet(.unfinished(flow)) {
            timers.set(.unfinished(flow), at: now.advanced(by: configuration.unfinishedMessageTimeout))
        }
    }

    private mutating func take(_ frame: StreamFramer.Frame, on flow: FlowID, at now: Instant) -> [Effect] {
        switch frame {
        case .message(let message): return take(message, on: flow, at: now)
        case .ping: return [.send([ASCII.carriageReturn, ASCII.lineFeed], on: flow)]
        case .broken(let message, let error):
            var effects: [Effect] = []
            if let message, let method = message.method, method != .ack {
                effects = refuse(message, with: .status(400), on: flow)
            }
            effects.append(.ignored(.malformed(error)))
            // Where pieces may be lost the next message can be found again.
            return flows[flow]?.description.isReliable == false ? effects : effects + [.abandon(flow)]
        }
    }

    private mutating func take(_ message: Message, on flow: FlowID, at now: Instant) -> [Effect] {
        switch message.validate(policy) {
        case .dropped(let error): return [.ignored(.malformed(error))]
        case .refused(let refusal): return refuse(message, with: refusal, on: flow)
        case .accepted(let essentials):
            guard let status = message.status else { return take(message, essentials, on: flow, at: now) }
            let key = ClientKey(flow: flow, branch: essentials.via.branch ?? "", method: essentials.cSeq.method)
            guard clients[key] != nil else { return [.ignored(.strayResponse(status: status))] }
            return drive(key, at: now) { $0.receive(message, at: now) }
        }
    }

    /// Answers a request with an error and keeps nothing of it: a repetition gets the same answer.
    func refuse(_ request: Message, with refusal: Message.Refusal, on flow: FlowID) -> [Effect] {
        var response: Message
        if let essentials = try? request.essentials(limits: configuration.limits) {
            // The branch is as good as a random tag, and the same each time.
            let tag = essentials.via.branch ?? essentials.from.tag ?? "0"
            response = self.response(refusal.status, to: request, essentials, on: flow, tag: tag)
        } else {
            response = Message(status: refusal.status)
            for name in [HeaderName.via, .callID, .from, .to, .cSeq] {
                response.fields.append(name, from: request.fields)
            }
        }
        if let field = refusal.field { response.fields.append(field, refusal.value) }
        return [transmit(response.encoded(), on: flow), .ignored(.refused(status: refusal.status))]
    }

    private mutating func take(
        _ request: Message, _ essentials: Essentials, on flow: FlowID, at now: Instant
    ) -> [Effect] {
        let method = essentials.cSeq.method
        let key = ServerKey(flow: flow, request, essentials)
        if method == .ack { return acknowledge(key, request, essentials, at: now) }
        if servers[key] != nil {
            return drive(key, at: now) { $0.receive(method, at: now) } + [.ignored(.repeated(method))]
        }
        guard hasRoom(on: flow) else {
            return refuse(request, with: .init(status: 503, field: .retryAfter, value: "5"), on: flow)
        }
        if method == .cancel { return cancel(request, essentials, key, at: now) }
        if essentials.to.tag != nil { return takeInside(request, essentials, key, at: now) }
        return takeOutside(request, essentials, key, at: now)
    }

    private func hasRoom(on flow: FlowID) -> Bool {
        servers.count < configuration.maximumTransactions
            && (flows[flow]?.transactions ?? 0) < configuration.maximumTransactionsPerFlow
    }

    /// The call a request inside a dialog belongs to.
    func call(of essentials: Essentials, on flow: FlowID) -> Call? {
        guard let tag = essentials.to.tag, let id = dialogs[.init(callID: essentials.callID, localTag: tag)],
            let call = calls[id], call.flow == flow, call.dialog.remote.tag == essentials.from.tag
        else { return nil }
        return call
    }
}
