public import SansIO

extension Multiplexer {
    /// Takes the next piece of the peer's plaintext, cut anywhere.
    public mutating func receive(_ bytes: [UInt8], at now: Instant) -> [Effect] {
        guard !isOver else { return [.ignored(.over)] }
        deframer.append(bytes)
        var effects: [Effect] = []
        do throws(WireError) {
            while let frame = try deframer.next() { effects += take(frame, at: now) }
        } catch {
            effects += fail(error)
        }
        return effects
    }

    private mutating func take(_ frame: ChannelFrame, at now: Instant) -> [Effect] {
        switch frame.channel {
        case .control: takeRequests(frame.payload)
        case .protocol: takeProtocol(frame.payload, at: now)
        default: takeData(frame.payload, on: frame.channel)
        }
    }

    // MARK: Versions and beacons

    private mutating func takeProtocol(_ payload: [UInt8], at now: Instant) -> [Effect] {
        var reader = MessagePackReader(payload.span)
        var messages: [ProtocolMessage] = []
        var refusals: [Effect] = []
        do throws(WireError) {
            repeat { try ProtocolMessage.read(&reader, into: &messages) } while !reader.isAtEnd
        } catch {
            refusals = [.ignored(.malformed(error))]
        }
        var effects: [Effect] = []
        for message in messages { effects += take(message, at: now) }
        return effects + refusals
    }

    private mutating func take(_ message: ProtocolMessage, at now: Instant) -> [Effect] {
        switch message {
        case .version(let version):
            peerVersion = version
            return sendBeacon(at: now)
        case .ping: return [.send(ProtocolMessage.pong.frame.bytes)]
        case .pong:
            guard case .sent = beacon else { return [.ignored(.unexpectedPong)] }
            beacon = .none
            timers.cancel(.beacon)
            return [.alive]
        }
    }

    // MARK: Requests and answers

    private mutating func takeRequests(_ payload: [UInt8]) -> [Effect] {
        var reader = MessagePackReader(payload.span)
        var effects: [Effect] = []
        do throws(WireError) {
            repeat { effects += take(try ChannelRequest(from: &reader)) } while !reader.isAtEnd
        } catch {
            effects.append(.ignored(.malformed(error)))
        }
        return effects
    }

    private mutating func take(_ request: ChannelRequest) -> [Effect] {
        switch request.state {
        case .request: takeRequest(request)
        case .accept: takeAcceptance(of: request.channel)
        case .decline: takeRefusal(of: request.channel)
        }
    }

    private mutating func takeRequest(_ request: ChannelRequest) -> [Effect] {
        if let reason = refusal(of: request) {
            let answer = ChannelRequest(name: request.name, channel: request.channel, state: .decline)
            return [.send(answer.frame.bytes), .ignored(reason)]
        }
        channels[request.channel] = .offered(name: request.name)
        offerCount += 1
        return [.requested(request.channel, name: request.name)]
    }

    private func refusal(of request: ChannelRequest) -> Reason? {
        guard request.channel.isForData, channels[request.channel] == nil else {
            return .unusableNumber(request.channel)
        }
        guard request.name.utf8.count <= configuration.nameLimit else { return .nameTooLong }
        guard hasRoom else { return .tooManyChannels }
        guard offerCount < configuration.pendingRequestLimit else { return .tooManyRequests }
        return nil
    }

    private mutating func takeAcceptance(of id: ChannelID) -> [Effect] {
        switch channels[id] {
        case .requested?:
            let early = forget(id)
            channels[id] = .open
            return [.opened(id)] + early.flatMap { takeData($0, on: id) }
        case .offered?, .open?: return [.ignored(.unexpectedAnswer(id))]
        case nil:
            // The answer to a request given up meanwhile: the peer holds an open channel now.
            let end: [Effect] = id.isForData ? [.send(Self.end(of: id))] : []
            return end + [.ignored(.unexpectedAnswer(id))]
        }
    }

    private mutating func takeRefusal(of id: ChannelID) -> [Effect] {
        guard case .requested? = channels[id] else { return [.ignored(.unexpectedAnswer(id))] }
        forget(id)
        return [.declined(id)]
    }

    // MARK: Data

    private mutating func takeData(_ payload: [UInt8], on id: ChannelID) -> [Effect] {
        switch channels[id] {
        case .open?, .offered?:
            guard !payload.isEmpty else {
                forget(id)
                return [.closed(id)]
            }
            return isOpen(id) ? [.received(payload, on: id)] : keep(payload, for: id)
        case .requested?: return keep(payload, for: id)
        case nil: return [.ignored(.noSuchChannel(id))]
        }
    }

    /// Keeps a frame until its channel is open; gives the channel up where that were too much.
    private mutating func keep(_ payload: [UInt8], for id: ChannelID) -> [Effect] {
        let cost = payload.count + Configuration.earlyFrameCost
        guard earlyData[id, default: EarlyData()].cost + cost <= configuration.earlyDataLimit else { return giveUp(id) }
        earlyData[id, default: EarlyData()].frames.append(payload)
        earlyData[id, default: EarlyData()].cost += cost
        return []
    }

    private mutating func giveUp(_ id: ChannelID) -> [Effect] {
        guard case .requested? = channels[id] else {
            return decline(id) + [.closed(id), .ignored(.tooMuchEarlyData(id))]
        }
        forget(id)
        return [.send(Self.end(of: id)), .declined(id), .ignored(.tooMuchEarlyData(id))]
    }
}
