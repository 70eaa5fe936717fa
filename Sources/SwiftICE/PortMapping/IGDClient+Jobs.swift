internal import SansIO

extension IGDClient {
    /// Where a job's request goes, the action it calls, and its bytes.
    func message(for job: Job) -> (HTTPLocation, action: String, request: [UInt8]) {
        if case .describe(let location) = job { return (location, "", SOAP.get(location)) }
        let service = services[min(service(of: job), services.count - 1)]
        let (action, arguments) = call(job)
        return (service.control, action, SOAP.call(action, arguments, of: service))
    }

    private func service(of job: Job) -> Int {
        if case .status(let index) = job { index } else { chosen }
    }

    private func call(_ job: Job) -> (String, KeyValuePairs<String, String>) {
        switch job {
        case .describe, .status: return (isFirewall ? "GetFirewallStatus" : "GetStatusInfo", [:])
        case .externalAddress: return ("GetExternalIPAddress", [:])
        case .add(let key, let port, let seconds, _): return ("AddPortMapping", arguments(key, port, seconds))
        case .addAny(let key, let port, let seconds): return ("AddAnyPortMapping", arguments(key, port, seconds))
        case .delete(let key, let port):
            return (
                "DeletePortMapping",
                ["NewRemoteHost": "", "NewExternalPort": "\(port)", "NewProtocol": key.transport.upnpName]
            )
        case .openPinhole(let key, let seconds): return ("AddPinhole", pinholeArguments(key, seconds))
        case .renewPinhole(_, let id, let seconds):
            return ("UpdatePinhole", ["UniqueID": "\(id)", "NewLeaseTime": "\(seconds)"])
        case .closePinhole(_, let id): return ("DeletePinhole", ["UniqueID": "\(id)"])
        }
    }

    private func arguments(_ key: MappingKey, _ port: UInt16, _ seconds: UInt32) -> KeyValuePairs<String, String> {
        [
            "NewRemoteHost": "", "NewExternalPort": "\(port)", "NewProtocol": key.transport.upnpName,
            "NewInternalPort": "\(key.port)", "NewInternalClient": client.description, "NewEnabled": "1",
            "NewPortMappingDescription": configuration.description, "NewLeaseDuration": "\(seconds)",
        ]
    }

    mutating func answered(_ exchange: Exchange, _ head: HTTPHead, _ body: [UInt8], at now: Instant) -> [GatewayEvent] {
        if case .describe(let location) = exchange.job {
            services =
                (try? XMLElement(document: body)).map { IGDService.all(in: $0, at: location, for: client.family) } ?? []
            guard head.status == 200, !services.isEmpty else { return describeNext(at: now) }
            jobs = [.status(service: 0)]
            return []
        }
        switch SOAP.answer(head, body, to: exchange.action) {
        case .done(let values): return done(exchange.job, values, at: now)
        case .refused(let code): return refused(exchange.job, code, at: now)
        }
    }

    mutating func notAnswered(_ exchange: Exchange, at now: Instant) -> [GatewayEvent] {
        switch exchange.job {
        case .describe: describeNext(at: now)
        case .status(let index): statusFailed(index, at: now)
        case .externalAddress: addressFailed(at: now)
        case .add(let key, _, _, _), .addAny(let key, _, _): [.failed(key, .noAnswer)]
        case .delete(let key, _): deleted(key)
        case .openPinhole(let key, _), .renewPinhole(let key, _, _): pinholeFailed(key, .noAnswer)
        case .closePinhole(let key, _): pinholeClosed(key)
        }
    }

    private mutating func done(_ job: Job, _ values: XMLElement, at now: Instant) -> [GatewayEvent] {
        switch job {
        case .describe: return []
        case .status(let index) where isFirewall:
            guard opensPinholes(values) else { return statusFailed(index, at: now) }
            chosen = index
            return isReady()
        case .status(let index):
            guard values.value("NewConnectionStatus") == "Connected" else { return statusFailed(index, at: now) }
            chosen = index
            jobs = [.externalAddress]
            return []
        case .externalAddress:
            guard let address = values.value("NewExternalIPAddress").flatMap({ IPAddress($0) }), !address.isUnspecified
            else { return addressFailed(at: now) }
            external = address
            return isReady()
        case .add(let key, let port, let seconds, _): return mapped(key, port, seconds)
        case .addAny(let key, _, let seconds):
            guard let port = values.value("NewReservedPort").flatMap({ UInt16($0) }), port != 0 else {
                return [.failed(key, .refused(code: 501))]
            }
            return mapped(key, port, seconds)
        case .delete(let key, _): return deleted(key)
        case .openPinhole(let key, let seconds): return pinholeOpened(key, values.value("UniqueID"), seconds)
        case .renewPinhole(let key, _, let seconds): return pinholeStands(key, seconds)
        case .closePinhole(let key, _): return pinholeClosed(key)
        }
    }

    private mutating func isReady() -> [GatewayEvent] {
        guard phase == .probing else { return [] }
        phase = .ready
        return [.available]
    }

    private mutating func mapped(_ key: MappingKey, _ port: UInt16, _ seconds: UInt32) -> [GatewayEvent] {
        ports[key] = port
        guard let external else { return [.failed(key, .refused(code: 501))] }
        let lifetime: Duration? = seconds == 0 ? nil : .seconds(Int64(seconds))
        return [.mapped(key, external: Endpoint(external, port: port), lifetime: lifetime)]
    }

    private mutating func deleted(_ key: MappingKey) -> [GatewayEvent] {
        ports[key] = nil
        return [.unmapped(key)]
    }

    /// Gateways differ in what they refuse, and most have a second best way (WANIPConnection:2 §2.5).
    private mutating func refused(_ job: Job, _ code: UInt16, at now: Instant) -> [GatewayEvent] {
        switch job {
        case .describe: return describeNext(at: now)
        case .status(let index): return statusFailed(index, at: now)
        case .externalAddress: return addressFailed(at: now)
        case .delete(let key, _): return deleted(key)
        case .addAny(let key, _, _): return [.failed(key, .refused(code: code))]
        case .openPinhole(let key, _): return pinholeFailed(key, .refused(code: code))
        case .renewPinhole(let key, _, let seconds): return pinholeIsUnknown(key, seconds)
        case .closePinhole(let key, _): return pinholeClosed(key)
        case .add(let key, let port, let seconds, let conflicts):
            guard let other = alternative(key, port, seconds, conflicts, code) else {
                return [.failed(key, .refused(code: code))]
            }
            jobs.insert(other, at: 0)
            return []
        }
    }

    private mutating func alternative(
        _ key: MappingKey, _ port: UInt16, _ seconds: UInt32, _ conflicts: Int, _ code: UInt16
    ) -> Job? {
        guard conflicts < configuration.conflictLimit else { return nil }
        switch code {
        case 725 where seconds != 0: return .add(key, port: port, seconds: 0, conflicts: conflicts + 1)
        case 724 where port != key.port: return .add(key, port: key.port, seconds: seconds, conflicts: conflicts + 1)
        case 718 where services[chosen].picksPorts: return .addAny(key, port: port, seconds: seconds)
        case 718, 729:
            let other = UInt16.random(in: 10_000...60_000, using: &random)
            return .add(key, port: other, seconds: seconds, conflicts: conflicts + 1)
        default: return nil
        }
    }

    private mutating func statusFailed(_ index: Int, at now: Instant) -> [GatewayEvent] {
        guard index + 1 < services.count else { return describeNext(at: now) }
        jobs = [.status(service: index + 1)]
        return []
    }

    /// Without an address a service is of no use; with an older one the mappings still may be.
    private mutating func addressFailed(at now: Instant) -> [GatewayEvent] {
        phase == .probing ? statusFailed(chosen, at: now) : []
    }
}

extension PortMapping.Transport {
    fileprivate var upnpName: String { self == .udp ? "UDP" : "TCP" }
}
