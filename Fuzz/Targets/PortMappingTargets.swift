import SansIO
import SwiftICE

extension FuzzTarget {
    /// XML documents as gateways send them.
    static let xml = FuzzTarget(name: "xml") { bytes throws(Finding) in
        guard let root = try? XMLElement(document: bytes) else { return }
        var (level, depth, count) = ([root], 0, 0)
        while !level.isEmpty {
            depth += 1
            count += level.count
            for element in level { try require(!element.name.isEmpty, "every element has a name") }
            level = level.flatMap(\.children)
        }
        try require(depth <= XMLElement.nestingLimit + 1 && count <= XMLElement.elementLimit, "documents are bounded")
    }

    /// Answers of PCP and NAT-PMP.
    static let gatewayAnswer = FuzzTarget(name: "gateway-answer") { bytes throws(Finding) in
        if let answer = try? NATPMPResponse(decoding: bytes) {
            try require((try? NATPMPResponse(decoding: answer.bytes)) == answer, "NAT-PMP answers survive")
        }
        if let answer = try? PCPResponse(decoding: bytes) {
            try require((try? PCPResponse(decoding: answer.bytes)) == answer, "PCP answers survive")
        }
    }

    /// A port mapper: the bytes choose what the gateway, the owner and the clock do.
    static let portMapper = FuzzTarget(name: "port-mapper") { bytes throws(Finding) in
        var fuzz = PortMapperFuzz(Choices(bytes), .v4)
        try fuzz.run()
    }

    /// The same over IPv6, where the gateway opens its firewall.
    static let pinholes = FuzzTarget(name: "pinholes") { bytes throws(Finding) in
        var fuzz = PortMapperFuzz(Choices(bytes), .v6)
        try fuzz.run()
    }
}

private struct PortMapperFuzz {
    private let client: IPAddress
    private let gateway: Endpoint
    private var choices: Choices
    private var mapper: PortMapper
    private var now = Instant.zero
    private var asked: [[UInt8]] = []
    private var connections: [PortMapper.ConnectionID] = []
    private var ids: [PortMapper.MappingID] = []
    private var isOver = false

    init(_ choices: Choices, _ family: IPAddress.Family) {
        self.choices = choices
        switch family {
        case .v4: (client, gateway) = (.v4(0xC0A8_010A), Endpoint(.v4(0xC0A8_0101), port: 5351))
        case .v6:
            client = .v6(high: 0x2001_0DB8_0000_0000, low: 10)
            gateway = Endpoint(.v6(high: 0xFE80_0000_0000_0000, low: 1), port: 5351, scope: 3)
        }
        mapper = PortMapper(client: client, gateway: gateway, random: .seeded(1))
    }

    mutating func run() throws(Finding) {
        try take(mapper.start(at: now))
        for _ in 0..<512 where !choices.isAtEnd {
            try step()
            let later = now.advanced(by: choices.duration())
            try take(try pass(&mapper, until: later))
            now = later
            try require(mapper.mappings.count <= 32 && connections.count <= 1, "mappings and connections are bounded")
        }
    }

    private mutating func step() throws(Finding) {
        switch choices.byte() % 9 {
        case 0: try take(mapper.receive(choices.bytes().span, from: gateway, at: now))
        case 1, 2: try take(mapper.receive(answer().span, from: gateway, at: now))
        case 3:
            let (id, effects) = mapper.add(
                choices.byte() & 1 == 0 ? .udp : .tcp, port: 9000 + UInt16(choices.byte() & 7), at: now)
            ids.append(id)
            guard !isOver else {
                return try require(effects == [.failed(id, .overLimit)], "nothing is mapped after the end")
            }
            try take(effects)
        case 4: if let id = choices.element(of: ids) { try take(mapper.remove(id, at: now)) }
        case 5:
            let place = Endpoint(gateway.address, port: 5000)
            let found = "HTTP/1.1 200 OK\r\nLOCATION: http://\(place)/\(choices.byte() & 7)\r\n\r\n"
            try take(mapper.receive(Array(found.utf8).span, from: gateway.with(port: 1900), at: now))
        case 6, 7: try connection()
        default:
            switch choices.byte() {
            case 7: try take(mapper.close(at: now))
            case 8: try take(mapper.refused(by: gateway, at: now))
            case 9: try take(mapper.refused(by: gateway.with(port: 1900), at: now))
            default: break
            }
        }
    }

    private mutating func connection() throws(Finding) {
        guard let id = choices.element(of: connections) else { return }
        switch choices.byte() % 4 {
        case 0: try take(mapper.connected(id, at: now))
        case 1: try take(mapper.receive(choices.bytes().span, on: id, at: now))
        case 2: try take(mapper.receive(Array(document().utf8).span, on: id, at: now))
        default:
            connections.removeAll { $0 == id }
            try take(mapper.closed(id, at: now))
        }
    }

    /// What a gateway with UPnP would answer, in one of several places of the conversation.
    private mutating func document() -> String {
        let values = client.family == .v4 ? mapping() : opening()
        let status = values.contains("errorCode") ? "500 No" : "200 OK"
        return "HTTP/1.1 \(status)\r\nContent-Length: \(values.utf8.count)\r\n\r\n\(values)"
    }

    private mutating func opening() -> String {
        switch choices.byte() % 6 {
        case 0:
            "<root><service><serviceType>urn:x:service:WANIPv6FirewallControl:1</serviceType>"
                + "<controlURL>/c</controlURL></service></root>"
        case 1:
            "<e><Body><GetFirewallStatusResponse><FirewallEnabled>1</FirewallEnabled>"
                + "<InboundPinholeAllowed>1</InboundPinholeAllowed></GetFirewallStatusResponse></Body></e>"
        case 2: "<e><Body><AddPinholeResponse><UniqueID>\(choices.word())</UniqueID></AddPinholeResponse></Body></e>"
        case 3: "<e><Body><UpdatePinholeResponse/></Body></e>"
        case 4: "<e><Body><DeletePinholeResponse/></Body></e>"
        default: "<e><errorCode>\(700 + Int(choices.byte() % 40))</errorCode></e>"
        }
    }

    private mutating func mapping() -> String {
        switch choices.byte() % 6 {
        case 0:
            "<root><service><serviceType>urn:x:service:WANIPConnection:2</serviceType>"
                + "<controlURL>/c</controlURL></service></root>"
        case 1:
            "<e><Body><GetStatusInfoResponse><NewConnectionStatus>Connected</NewConnectionStatus>"
                + "</GetStatusInfoResponse></Body></e>"
        case 2:
            "<e><Body><GetExternalIPAddressResponse><NewExternalIPAddress>20.0.1.2</NewExternalIPAddress>"
                + "</GetExternalIPAddressResponse></Body></e>"
        case 3: "<e><Body><AddPortMappingResponse/></Body></e>"
        case 4:
            "<e><Body><AddAnyPortMappingResponse><NewReservedPort>\(choices.word())</NewReservedPort>"
                + "</AddAnyPortMappingResponse></Body></e>"
        default: "<e><errorCode>\(700 + Int(choices.byte() % 40))</errorCode></e>"
        }
    }

    /// An answer to one of the requests over UDP.
    private mutating func answer() -> [UInt8] {
        guard let request = choices.element(of: asked), request.count >= 2 else { return [] }
        let (result, seconds, epoch) = (choices.byte() & 15, UInt32(choices.word()), UInt32(choices.word()))
        guard request[0] == 2 else {
            guard request.count == 12 else {
                return NATPMPResponse(result: .success, epoch: epoch, content: .externalAddress(0x1400_0102)).bytes
            }
            let internalPort = UInt16(request[4]) << 8 | UInt16(request[5])
            return NATPMPResponse(
                result: .init(rawValue: UInt16(result & 7)), epoch: epoch,
                content: .map(
                    request[1] == 1 ? .udp : .tcp, internalPort: internalPort, externalPort: choices.word(),
                    seconds: seconds)
            ).bytes
        }
        // The mapping as it was asked for, with an address.
        guard request.count == 60 else {
            return PCPResponse(
                result: .init(rawValue: result & 1), seconds: 0, epoch: epoch, content: .announce
            ).bytes
        }
        var bytes = request
        bytes[1] |= 0x80
        bytes[3] = result > 12 ? result : 0
        for (index, word) in [seconds, epoch].enumerated() {
            for offset in 0..<4 {
                bytes[4 + 4 * index + offset] = UInt8(truncatingIfNeeded: word >> UInt32(24 - 8 * offset))
            }
        }
        if client.family == .v4 {
            bytes.replaceSubrange(56..<60, with: [20, 0, 1, 2])
        } else {
            bytes.replaceSubrange(44..<60, with: client.bytes)
        }
        return bytes
    }

    private mutating func take(_ effects: [PortMapper.Effect]) throws(Finding) {
        try require(effects.count <= effectLimit, "the effects of an input are bounded")
        for effect in effects {
            if case .ignored = effect { continue }
            try require(!isOver, "nothing follows the end, as \(effect) does")
            switch effect {
            case .send(let bytes, let destination):
                let isKnown = destination.address == gateway.address || destination.port == 1900
                try require(isKnown, "only the gateway and the group of devices are sent to")
                if destination.port == 5351 { asked.append(bytes) }
                if asked.count > 8 { asked.removeFirst() }
            case .connect(let id, let endpoint):
                try require(endpoint.address == gateway.address, "only the gateway is connected to")
                connections.append(id)
            case .write(_, let id): try require(connections.contains(id), "only open connections are written to")
            case .close(let id): connections.removeAll { $0 == id }
            case .closed: isOver = true
            default: break
            }
        }
    }
}
