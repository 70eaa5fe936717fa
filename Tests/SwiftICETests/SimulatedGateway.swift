import SansIO
import SwiftICE

/// A gateway that speaks PCP and NAT-PMP, as a test says.
struct SimulatedGateway {
    struct Mapping: Hashable {
        let external: Endpoint
        let until: Instant
        let nonce: PCPMap.Nonce?
    }

    struct Key: Hashable {
        let transport: PortMapping.Transport
        let port: UInt16
    }

    var speaksPCP = true
    var speaksNATPMP = true
    var external = Endpoint(.v4(0x1400_0102), port: 0)
    /// The longest lifetime granted.
    var lifetime: UInt32 = 86_400
    var pcpResult = PCPResponse.Result.success
    var natPMPResult = NATPMPResponse.Result.success
    /// Whether mappings may be ended before their time.
    var endsMappings = true
    /// Added to internal ports for the external ones.
    var portShift: UInt16 = 0
    private(set) var mappings: [Key: Mapping] = [:]
    private(set) var requests = 0
    private var startedAt = Instant.zero

    /// Forgets everything, as after a loss of power.
    mutating func restart(at now: Instant) {
        mappings = [:]
        startedAt = now
    }

    func isMapped(_ transport: PortMapping.Transport, _ port: UInt16, at now: Instant) -> Bool {
        mappings[Key(transport: transport, port: port)].map { now < $0.until } ?? false
    }

    private func epoch(_ now: Instant) -> UInt32 { UInt32(startedAt.duration(to: now).components.seconds) }

    mutating func receive(_ bytes: [UInt8], at now: Instant) -> [UInt8]? {
        requests += 1
        if bytes.first == 2 {
            guard speaksPCP else { return speaksNATPMP ? [0, 0x80 | bytes[1], 0, 1, 0, 0, 0, 0] : nil }
            return pcp(bytes, at: now)
        }
        return speaksNATPMP ? natPMP(bytes, at: now) : nil
    }

    private mutating func pcp(_ bytes: [UInt8], at now: Instant) -> [UInt8] {
        let seconds = bytes[4..<8].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        guard bytes[1] == 1, let transport = PortMapping.Transport(rawValue: bytes[36]) else {
            return PCPResponse(result: .success, seconds: 0, epoch: epoch(now), content: .announce).bytes
        }
        let word = { (range: Range<Int>) in bytes[range].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
        let nonce = PCPMap.Nonce(high: UInt32(word(24..<28)), low: word(28..<36))
        let port = UInt16(word(40..<42))
        let granted = min(seconds, lifetime)
        let pcpResult = seconds == 0 && !endsMappings ? .notAuthorized : pcpResult
        if pcpResult == .success { keep(transport, port, granted, nonce, at: now) }
        let map = PCPMap(
            nonce: nonce, transport: transport, internalPort: port,
            external: external.with(port: port &+ portShift))
        return PCPResponse(result: pcpResult, seconds: granted, epoch: epoch(now), content: .map(map)).bytes
    }

    private mutating func natPMP(_ bytes: [UInt8], at now: Instant) -> [UInt8] {
        guard natPMPResult == .success else {
            return NATPMPResponse(
                result: natPMPResult, epoch: epoch(now), content: .nothing(opcode: bytes[1])
            ).bytes
        }
        guard bytes[1] != 0, bytes.count == 12 else {
            guard case .v4(let word) = external.address else { return [] }
            return NATPMPResponse(result: .success, epoch: epoch(now), content: .externalAddress(word)).bytes
        }
        let transport: PortMapping.Transport = bytes[1] == 1 ? .udp : .tcp
        let port = UInt16(bytes[4]) << 8 | UInt16(bytes[5])
        let granted = min(bytes[8..<12].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }, lifetime)
        keep(transport, port, granted, nil, at: now)
        return NATPMPResponse(
            result: .success, epoch: epoch(now),
            content: .map(
                transport, internalPort: port, externalPort: granted == 0 ? 0 : port &+ portShift, seconds: granted)
        ).bytes
    }

    private mutating func keep(
        _ transport: PortMapping.Transport, _ port: UInt16, _ seconds: UInt32, _ nonce: PCPMap.Nonce?, at now: Instant
    ) {
        let key = Key(transport: transport, port: port)
        mappings[key] =
            seconds == 0
            ? nil
            : Mapping(
                external: external.with(port: port), until: now.advanced(by: .seconds(Int64(seconds))), nonce: nonce)
    }
}
