import SIPLite
import SansIO
import TestVectors
import Testing

@Suite("Messages")
struct MessageTests {
    struct Captured: Decodable {
        let file: String
        let first_line: String
        let call_id: String
    }

    static func captured() throws -> [(name: String, bytes: [UInt8])] {
        try TestVectors.json("jami/sip/index.json", as: [Captured].self).map {
            ($0.file, try TestVectors.bytes("jami/sip/\($0.file)"))
        }
    }

    @Test("Every message captured between stock peers is understood, and means the same when written again")
    func vectors() throws {
        let index = try TestVectors.json("jami/sip/index.json", as: [Captured].self)
        #expect(index.count == 55)
        for entry in index {
            let message = try Message(decoding: try TestVectors.bytes("jami/sip/\(entry.file)"))
            let essentials = try message.essentials()
            #expect(essentials.callID == entry.call_id, "\(entry.file)")
            let written = message.encoded()
            #expect(String(decoding: written.prefix(entry.first_line.utf8.count), as: UTF8.self) == entry.first_line)
            let again = try Message(decoding: written)
            #expect(again.startLine == message.startLine && again.body == message.body, "\(entry.file)")
            #expect(try again.essentials() == essentials)
            for name in message.fields.names where name != .contentLength {
                #expect(again.fields.values(name) == message.fields.values(name), "\(entry.file) \(name)")
            }
            #expect(again.encoded() == written, "canonical form is stable")
        }
    }

    @Test(
        "Typed fields keep their meaning when written",
        arguments: [
            "\"A \\\"B\\\" \\\\C\" <sips:user@[2001:db8::1]:5061;transport=tls;lr>;tag=1;x=\"a;b\"",
            "<sip:host>", "<sip:u:p@h?a=b&c=d>", "<tel:+123>;tag=x",
        ])
    func addresses(text: String) throws {
        let address = try NameAddress(text)
        #expect(address.description == text)
        #expect(try NameAddress(address.description) == address)
    }

    @Test("Parameters outside angle brackets belong to the field")
    func bareAddress() throws {
        let address = try NameAddress("sip:a@b;tag=7")
        #expect(address.tag == "7" && address.uri.parameters.all.isEmpty)
        #expect(throws: WireError.self) { try NameAddress("sip:a@b?x=y") }
        #expect(try NameAddress("caller<sip:a@b>").displayName == "caller")
    }

    @Test("URIs compare as RFC 3261 §19.1.4 says")
    func uriComparison() throws {
        func same(_ left: String, _ right: String) throws -> Bool { try URI(left).matches(try URI(right)) }
        #expect(try same("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"))
        #expect(try same("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"))
        #expect(
            try same("sip:biloxi.com;method=REGISTER;transport=tcp", "sip:biloxi.com;transport=tcp;method=REGISTER"))
        #expect(try !same("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"))
        #expect(try !same("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"))
        #expect(try !same("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"))
        #expect(try !same("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"))
    }

    @Test("Compact names are the long ones, and case does not matter")
    func names() {
        #expect(HeaderName(rawValue: "v") == .via && HeaderName(rawValue: "CALL-id") == .callID)
        #expect(HeaderName(rawValue: "X-Odd") == HeaderName(rawValue: "x-oDD"))
        #expect(HeaderName(rawValue: "call-id").rawValue == "Call-ID")
    }

    @Test("No value can make a line of its own")
    func injection() throws {
        let evil = "x\r\nEvil: yes\r\n\r\nINVITE\0\nq"
        var message = Message(.init(rawValue: "INVITE\r\nEvil: yes"), to: "sip:\(evil)")
        let address = NameAddress(displayName: evil, uri: URI(user: evil, host: "h\r\nEvil: yes"))
        message.fields.append(.from, address.description)
        message.fields.append(.subject, evil)
        message.fields.append(HeaderName(rawValue: "A\r\nEvil"), evil)
        let text = String(decoding: message.encoded(), as: UTF8.self)
        #expect(!text.contains("\nEvil") && text.components(ofLines: "Evil").isEmpty)
        #expect(text.filter { $0 == "\r\n" }.count == 6)
        let response = Message(status: 200, reason: evil).encoded()
        #expect(String(decoding: response, as: UTF8.self).components(ofLines: "Evil").isEmpty)
    }

    @Test("A lone CR, LF or NUL is refused")
    func smuggling() {
        let head = "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TLS a;branch=z9hG4bK1\r\n"
        for bad in ["A: b\nC: d\r\n", "A: b\rC: d\r\n", "A: b\0c\r\n", "A\0: b\r\n", "A b\r\n", ": b\r\n"] {
            #expect(throws: WireError.self) { try Message(decoding: Array((head + bad + "\r\n").utf8)) }
        }
    }

    @Test("Limits are errors, not traps")
    func limits() {
        let line = "OPTIONS sip:a SIP/2.0\r\n"
        let fields = String(repeating: "A: b\r\n", count: 300)
        #expect(throws: WireError.overLimit("number of header fields", limit: 256)) {
            try Message(decoding: Array((line + fields + "\r\n").utf8))
        }
        let long = line + "A: \(String(repeating: "x", count: 20_000))\r\n\r\n"
        #expect(throws: WireError.overLimit("header field", limit: 16_384)) { try Message(decoding: Array(long.utf8)) }
    }

    @Test("Changed messages never trap the reader, nor what judges them")
    func mutations() throws {
        var random = RandomSource.seeded(4475)
        var corpus = try Self.captured().map(\.bytes)
        for name in ["wsinv", "intmeth", "longreq", "esc01", "mpart01", "dblreq", "badinv01", "transports"] {
            corpus.append(try TestVectors.bytes("sip/rfc4475/\(name).dat"))
        }
        for round in 0..<4_000 {
            let bytes = corpus[round % corpus.count].mutated(using: &random)
            guard let message = try? Message(decoding: bytes) else { continue }
            _ = message.validate(TortureTests.policy)
            let written = message.encoded()
            guard case .accepted(let essentials) = message.validate(TortureTests.policy) else { continue }
            #expect(try Message(decoding: written).essentials() == essentials)
        }
    }
}

extension String {
    /// The lines that start with a word.
    func components(ofLines word: String) -> [Substring] {
        split(whereSeparator: \.isNewline).filter { $0.hasPrefix(word) }
    }
}

extension [UInt8] {
    /// The bytes with a few changes: bytes replaced, removed, doubled, or swapped for what grammars care about.
    func mutated(using random: inout RandomSource) -> [UInt8] {
        var bytes = self
        for _ in 0..<Int.random(in: 1...6, using: &random) where !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.remove(at: index)
            case 2:
                let special = Array("\r\n \t<>\"\\;,:=@?/%[]09-|\0".utf8)
                bytes.insert(special[Int.random(in: 0..<special.count, using: &random)], at: index)
            case 3:
                let end = Swift.min(bytes.count, index + Int.random(in: 1...40, using: &random))
                bytes.insert(contentsOf: bytes[index..<end], at: index)
            case 4: bytes.removeSubrange(index..<Swift.min(bytes.count, index + Int.random(in: 1...40, using: &random)))
            default: bytes.replaceSubrange(index..<index, with: "99999999999999999999".utf8)
            }
        }
        return bytes
    }
}
