import SansIO
import SwiftICE
import TestVectors
import Testing

/// NAT-PMP and PCP messages, against a conversation with miniupnpd.
struct GatewayMessageTests {
    struct Exchange: Decodable { let note, request, response: String }
    struct Conversation: Decodable { let exchange: [Exchange] }

    static func exchange(_ note: String) throws -> (request: [UInt8], response: [UInt8]) {
        let all: Conversation = try TestVectors.json("ice/nat-pmp-pcp-miniupnpd.json")
        let found = try #require(all.exchange.first { $0.note.hasPrefix(note) })
        return (hex(found.request), hex(found.response))
    }

    @Test func natPMPRequestsAreThoseOfTheRecording() throws {
        #expect(NATPMPRequest.externalAddress.bytes == (try Self.exchange("NAT-PMP external").request))
        let map = NATPMPRequest.map(.udp, internalPort: 7777, externalPort: 7777, seconds: 7200)
        #expect(map.bytes == (try Self.exchange("NAT-PMP map UDP").request))
        let tcp = NATPMPRequest.map(.tcp, internalPort: 7778, externalPort: 0, seconds: 3600)
        #expect(tcp.bytes == (try Self.exchange("NAT-PMP map TCP").request))
        let delete = NATPMPRequest.map(.udp, internalPort: 7777, externalPort: 0, seconds: 0)
        #expect(delete.bytes == (try Self.exchange("NAT-PMP delete").request))
    }

    @Test func natPMPAnswersAreRead() throws {
        func answer(_ note: String) throws -> NATPMPResponse {
            try NATPMPResponse(decoding: Self.exchange(note).response)
        }
        #expect(try answer("NAT-PMP external").content == .externalAddress(0x1400_0102))
        #expect(try answer("NAT-PMP external").epoch == 0xC09)
        #expect(
            try answer("NAT-PMP map TCP").content
                == .map(.tcp, internalPort: 7778, externalPort: 7778, seconds: 3600))
        #expect(
            try answer("NAT-PMP delete").content == .map(.udp, internalPort: 7777, externalPort: 0, seconds: 0))
        let unknown = try answer("NAT-PMP unknown opcode")
        #expect(unknown.result == .unsupportedOpcode && unknown.content == .nothing(opcode: 3))
        #expect(try answer("PCP truncated").result.rawValue == 3)
    }

    @Test func pcpMessagesAreThoseOfTheRecording() throws {
        let client = try #require(IPAddress("192.168.1.10"))
        #expect(PCPRequest.announce.bytes(from: client) == (try Self.exchange("PCP ANNOUNCE").request))
        let nonce = PCPMap.Nonce(high: 0xDF0E_B806, low: 0x24E4_2F00_19E2_B90E)
        let any = Endpoint(.v4(0), port: 8800)
        let map = PCPMap(nonce: nonce, transport: .udp, internalPort: 8800, external: any)
        let (request, response) = try Self.exchange("PCP MAP UDP")
        #expect(PCPRequest.map(map, seconds: 7200).bytes(from: client) == request)
        let answer = try PCPResponse(decoding: response)
        let granted = PCPMap(
            nonce: nonce, transport: .udp, internalPort: 8800, external: Endpoint(.v4(0x1400_0102), port: 8800))
        #expect(answer.result == .success && answer.seconds == 7200 && answer.epoch == 0xC0A)
        #expect(answer.content == .map(granted))
        let end = PCPMap(nonce: nonce, transport: .udp, internalPort: 8800, external: Endpoint(.v4(0), port: 0))
        #expect(PCPRequest.map(end, seconds: 0).bytes(from: client) == (try Self.exchange("PCP delete").request))
        #expect(try PCPResponse(decoding: Self.exchange("PCP MAP with wrong").response).result == .addressMismatch)
        #expect(try PCPResponse(decoding: Self.exchange("PCP version 9").response).result == .unsupportedVersion)
    }

    @Test func answersSurviveWritingAndReading() throws {
        for note in [
            "NAT-PMP external", "NAT-PMP map UDP", "NAT-PMP map TCP", "NAT-PMP delete", "NAT-PMP unknown",
        ] {
            let bytes = try Self.exchange(note).response
            #expect(try NATPMPResponse(decoding: bytes).bytes == bytes)
        }
        for note in ["PCP ANNOUNCE", "PCP MAP UDP", "PCP MAP TCP", "PCP MAP with wrong", "PCP MAP same port"] {
            let bytes = try Self.exchange(note).response
            #expect(try PCPResponse(decoding: bytes).bytes == bytes)
        }
    }

    @Test func mutatedAnswersNeverTrap() throws {
        var random = RandomSource.seeded(4)
        let all: Conversation = try TestVectors.json("ice/nat-pmp-pcp-miniupnpd.json")
        let samples = all.exchange.map { hex($0.response) }
        var read = 0
        for _ in 0..<5000 {
            let bytes = mutated(samples.randomElement(using: &random) ?? [], &random)
            if let answer = try? NATPMPResponse(decoding: bytes) {
                read += 1
                #expect(try NATPMPResponse(decoding: answer.bytes) == answer)
            }
            if let answer = try? PCPResponse(decoding: bytes) {
                read += 1
                #expect(try PCPResponse(decoding: answer.bytes) == answer)
            }
        }
        #expect(read > 500)
        #expect(throws: WireError.self) { try PCPResponse(decoding: [UInt8](repeating: 2, count: 1101)) }
    }

    @Test func globalAddressesAreToldFromOthers() throws {
        for text in ["8.8.8.8", "20.0.1.2", "100.63.0.1", "100.128.0.1", "172.15.0.1", "2001:db8::1"] {
            #expect(try #require(IPAddress(text)).isGlobal, "\(text)")
        }
        for text in [
            "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "100.127.1.1", "192.0.0.4",
            "127.0.0.1", "169.254.1.1", "224.0.0.1", "240.0.0.1", "0.0.0.0", "0.1.2.3", "fd00::1", "fe80::1", "::1",
        ] {
            #expect(try !#require(IPAddress(text)).isGlobal, "\(text)")
        }
    }
}
