import Foundation
import SansIO
import SwiftICE
import TestVectors
import Testing

struct CandidateTests {
    struct Lines: Decodable {
        struct Valid: Decodable {
            struct Parsed: Decodable {
                let foundation, transport, address, type: String
                let component: Int
                let priority: UInt32
                let port: UInt16
                let tcptype, raddr: String?
                let rport: UInt16?
            }
            let line: String
            let parsed: Parsed
        }
        struct Rejected: Decodable { let line, why: String }
        struct Blob: Decodable { let text, ufrag, pwd: String, candidates: Int }
        let sdp_valid, jami_lines: [Valid]
        let sdp_reject: [Rejected]
        let jami_blob: Blob
    }

    private func expect(_ candidate: Candidate, _ parsed: Lines.Valid.Parsed) {
        let kinds: [String: Candidate.Kind] = [
            "host": .host, "srflx": .serverReflexive, "prflx": .peerReflexive, "relay": .relayed,
        ]
        let roles: [String: Candidate.TCPRole] = ["active": .active, "passive": .passive, "so": .simultaneousOpen]
        #expect(candidate.foundation.description == parsed.foundation)
        #expect(candidate.component == parsed.component)
        #expect(candidate.transport == (parsed.tcptype.flatMap { roles[$0] }.map { .tcp($0) } ?? .udp))
        #expect(candidate.priority == parsed.priority)
        #expect(candidate.endpoint.port == parsed.port)
        #expect(candidate.kind == kinds[parsed.type])
        #expect(candidate.related?.address == parsed.raddr.flatMap { IPAddress($0) })
        #expect(candidate.related?.port == parsed.rport)
    }

    @Test func validLinesAreReadAndWrittenBack() throws {
        let lines: Lines = try TestVectors.json("ice/candidate-lines.json")
        for item in lines.sdp_valid + lines.jami_lines {
            switch Candidate.parse(line: item.line) {
            case .candidate(let candidate):
                expect(candidate, item.parsed)
                #expect(candidate.endpoint.address == IPAddress(item.parsed.address))
                #expect(Candidate.parse(line: candidate.sdpLine).candidate == candidate)
                if lines.jami_lines.contains(where: { $0.line == item.line }) {
                    #expect(candidate.jamiLine == item.line)
                }
            case .named(let host, let candidate):
                expect(candidate, item.parsed)
                #expect(host == item.parsed.address)
            case .skipped(let skip): Issue.record("\(item.line): \(skip)")
            }
        }
    }

    @Test func badLinesArePassedOver() throws {
        let lines: Lines = try TestVectors.json("ice/candidate-lines.json")
        for item in lines.sdp_reject {
            guard case .skipped = Candidate.parse(line: item.line) else {
                Issue.record("\(item.line) was accepted: \(item.why)")
                continue
            }
        }
        #expect(Candidate.parse(line: "1 1 UDP 5 1.2.3.4 5 typ weird") == .skipped(.unknownType))
        #expect(Candidate.parse(line: "1 1 SCTP 5 1.2.3.4 5 typ host") == .skipped(.unknownTransport))
        #expect(Candidate.parse(line: "1 1 TCP 5 1.2.3.4 5 typ host") == .skipped(.unknownTCPType))
        #expect(Candidate.parse(line: "1 1 UDP 5 1.2.3 5 typ host") == .skipped(.unusableAddress))
        #expect(Candidate.parse(line: "") == .skipped(.empty))
    }

    @Test func jamiTextIsReadAndWrittenBack() throws {
        let blob = try TestVectors.json("ice/candidate-lines.json", as: Lines.self).jami_blob
        let session = try SessionDescription(text: blob.text)
        #expect(session.credentials.fragment == blob.ufrag)
        #expect(session.credentials.password == blob.pwd)
        #expect(session.candidates.count == blob.candidates)
        #expect(session.text == blob.text)
        #expect(try SessionDescription(text: "\n\nabcd\r\n0123456789\n\nrubbish\n").candidates.isEmpty)
        #expect(throws: WireError.self) { try SessionDescription(text: "abc\n0123456789\n") }
        #expect(throws: WireError.self) { try SessionDescription(text: "") }
    }

    static let legacyBlob: [UInt8] = {
        func text(_ head: String, _ text: String) -> [UInt8] { hex(head) + Array(text.utf8) }
        let udp = [
            hex("0192"), text("a8", "0d04b935"), text("b8", "7c33834e7cf944bf0e367b42"), hex("0191"),
            text("d937", "Hc0a8007b 1 UDP 2130706431 192.168.0.123 34567 typ host"),
        ]
        let tcp = [
            hex("93"), text("a8", "0d04b932"), text("b8", "7c33834e7cf944bf0e367b47"), hex("92"),
            text("d947", "Hc0a8007b 1 TCP 2130706431 192.168.0.123 42751 typ host tcptype passive"),
            text("d942", "Hc0a8007b 1 TCP 2130706175 192.168.0.123 9 typ host tcptype active"),
        ]
        return (udp + tcp).flatMap { $0 }
    }()

    @Test func legacyBlobHoldsBothSessionsAndIsWrittenBack() throws {
        let offer = try SessionOffer(decoding: Self.legacyBlob)
        #expect(offer.udp?.version1().count == 95)
        #expect(offer.udp?.credentials.fragment == "0d04b935")
        #expect(offer.udp?.candidates.map(\.endpoint.port) == [34567])
        #expect(offer.tcp?.credentials.password == "7c33834e7cf944bf0e367b47")
        #expect(offer.tcp?.candidates.map(\.transport) == [.tcp(.passive), .tcp(.active)])
        #expect(offer.bytes == Self.legacyBlob)
    }

    @Test func legacySessionsAreSortedByContent() throws {
        let offer = try SessionOffer(decoding: Self.legacyBlob)
        let swapped = try SessionOffer(decoding: (offer.tcp?.version1() ?? []) + (offer.udp?.version2 ?? []))
        #expect(swapped == offer)
        #expect(try SessionOffer(decoding: offer.udp?.version1() ?? []).tcp == nil)
        let text = try SessionOffer(decoding: Array((offer.tcp?.text ?? "").utf8))
        #expect(text.tcp == offer.tcp && text.udp == nil)
        #expect(throws: WireError.self) { try SessionOffer(decoding: []) }
    }

    @Test func prioritiesAreThoseOfTheTables() throws {
        struct Tables: Decodable {
            struct Single: Decodable { let type: String, local_pref: UInt16, component: Int, priority: UInt32 }
            struct TCP: Decodable {
                let type, tcptype: String
                let other_pref, local_pref: UInt16
                let component: Int
                let priority_with_rfc8445_type_prefs: UInt32
            }
            struct Pair: Decodable { let controlling, controlled: UInt32, pair_priority: String }
            let candidate: [Single]
            let tcp: [TCP]
            let pair: [Pair]
        }
        let tables: Tables = try TestVectors.json("ice/ice-priority.json")
        let kinds: [String: Candidate.Kind] = [
            "host": .host, "srflx": .serverReflexive, "prflx": .peerReflexive, "relay": .relayed,
        ]
        let roles: [String: Candidate.TCPRole] = ["active": .active, "passive": .passive, "so": .simultaneousOpen]
        for item in tables.candidate {
            let kind = try #require(kinds[item.type])
            #expect(
                Priority.candidate(kind, localPreference: item.local_pref, component: item.component) == item.priority)
        }
        for item in tables.tcp {
            let (kind, role) = (try #require(kinds[item.type]), try #require(roles[item.tcptype]))
            let preference = Priority.localPreference(role, kind, other: item.other_pref)
            #expect(preference == item.local_pref)
            #expect(
                Priority.candidate(kind, localPreference: preference, component: item.component)
                    == item.priority_with_rfc8445_type_prefs)
        }
        for item in tables.pair {
            #expect(
                String(Priority.pair(controlling: item.controlling, controlled: item.controlled)) == item.pair_priority)
        }
        #expect(Priority.pair(controlling: .max, controlled: .max) == .max)
    }

    @Test func familiesTakeTurns() {
        let texts = ["fe80::1", "2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2", "192.0.2.3"]
        let ordered = Priority.interleaved(texts.compactMap { IPAddress($0) }).map(\.description)
        #expect(ordered == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "192.0.2.3", "fe80::1"])
    }

    @Test func foundationsAreThoseOfJami() throws {
        let base = try #require(IPAddress("10.78.0.11"))
        #expect(Foundation(kind: .host, base: base).description == "Ha4e000b")
        #expect(Foundation(kind: .serverReflexive, base: base).description == "Sa4e000b")
    }

    @Test func mutatedTextAndBlobsNeverTrap() throws {
        let lines: Lines = try TestVectors.json("ice/candidate-lines.json")
        let texts = (lines.sdp_valid + lines.jami_lines).map { Array($0.line.utf8) }
        var random = RandomSource.seeded(2)
        for _ in 0..<5000 {
            let line = mutated(texts.randomElement(using: &random) ?? [], &random)
            if let candidate = Candidate.parse(line: String(decoding: line, as: UTF8.self)).candidate {
                #expect(Candidate.parse(line: candidate.sdpLine).candidate == candidate)
            }
            _ = try? SessionOffer(decoding: mutated(Self.legacyBlob, &random))
            let text = mutated(Array(lines.jami_blob.text.utf8), &random)
            _ = try? SessionDescription(text: String(decoding: text, as: UTF8.self))
        }
    }

    @Test("a name takes the place of the address and is read as such")
    func namedLine() throws {
        let line = "H1 1 TCP 2130706431 192.0.2.2 6000 typ host tcptype passive"
        let candidate = try #require(Candidate.parse(line: line).candidate)
        guard case .named("a.local", var read) = Candidate.parse(line: candidate.line(named: "a.local")) else {
            return #expect(Bool(false))
        }
        #expect(read.endpoint == Endpoint(.unspecified(.v4), port: 6000))
        read.endpoint = candidate.endpoint
        #expect(read == candidate)
    }
}
