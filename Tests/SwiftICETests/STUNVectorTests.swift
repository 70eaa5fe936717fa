import Foundation
import SansIO
import SwiftICE
import TestVectors
import Testing

struct STUNVectorTests {
    struct Sample: Decodable {
        let name, hex: String
        let password, username, realm, password_after_saslprep, password_prepared, userhash, key_md5,
            key_sha256: String?

        var key: IntegrityKey? {
            if let password { return IntegrityKey(shortTerm: password) }
            guard let username, let realm else { return nil }
            if let password_after_saslprep {
                return IntegrityKey(longTerm: username, realm: realm, password: password_after_saslprep)
            }
            return password_prepared.map {
                IntegrityKey(longTerm: username, realm: realm, password: $0, algorithm: .sha256)
            }
        }
    }
    struct Samples: Decodable { let vectors: [Sample] }

    @Test(arguments: ["ice/stun-rfc5769.json", "ice/stun-rfc8489.json"])
    func publishedSamplesAreAuthenticAndWrittenBackByteForByte(_ file: String) throws {
        let samples: Samples = try TestVectors.json(file)
        for sample in samples.vectors {
            let bytes = hex(sample.hex)
            let message = try Message(decoding: bytes)
            let key = try #require(sample.key)
            #expect(message.isAuthentic(under: key), "\(sample.name)")
            #expect(!message.isAuthentic(under: IntegrityKey(shortTerm: "another")))
            let padding: UInt8 = sample.name.contains("2.1") || sample.name.contains("sample response") ? 0x20 : 0
            #expect(rebuilt(message, key: key, padding: padding) == bytes, "\(sample.name)")
            if let userhash = sample.userhash {
                let hash = IntegrityKey.userHash(username: sample.username ?? "", realm: sample.realm ?? "")
                #expect(hash == hex(userhash))
                #expect(message.first(.userHash) == .userHash(hash))
            }
        }
    }

    @Test func nonceCookieTellsTheFeatures() throws {
        let nonce = Array("obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA".utf8)
        #expect(SecurityFeatures(nonce: nonce).rawValue == 2)
        #expect(SecurityFeatures(nonce: Array("obMatJos2gAAAxyz".utf8)) == .passwordAlgorithms)
        #expect(SecurityFeatures(nonce: Array("obMatJos2wAAAxyz".utf8)) == [.passwordAlgorithms, .usernameAnonymity])
        #expect(SecurityFeatures(nonce: Array("something else".utf8)).isEmpty)
    }

    struct Malformed: Decodable { let name, key, hex, verdict: String }

    @Test func eachMessageGetsItsVerdict() throws {
        let cases: [Malformed] = try TestVectors.json("ice/stun-integrity-and-malformed.json")
        for item in cases {
            let key = IntegrityKey(shortTerm: item.key)
            let message = try? Message(decoding: hex(item.hex))
            let isAuthentic = message?.isAuthentic(under: key) ?? false
            switch item.verdict {
            case let verdict where verdict.hasPrefix("accept for server"):
                #expect(!isAuthentic)
                #expect(message?.isAuthentic(under: key, allowingTruncation: true) == true)
            case let verdict where verdict.hasPrefix("accept"): #expect(isAuthentic, "\(item.name)")
            case let verdict where verdict.hasPrefix("401"): #expect(message != nil && !isAuthentic)
            case let verdict where verdict.hasPrefix("420"):
                #expect(isAuthentic)
                #expect(
                    message?.unknownAttributes(knowing: [.username, .messageIntegrity])
                        == [AttributeType(rawValue: 0x7FFF)])
            default:
                #expect(!isAuthentic, "\(item.name)")
                #expect(message?.isAuthentic(under: key, allowingTruncation: true) != true)
            }
        }
    }

    @Test func attributesBehindTheIntegrityAndDuplicatesDoNotCount() throws {
        let cases: [Malformed] = try TestVectors.json("ice/stun-integrity-and-malformed.json")
        let late = try #require(cases.first { $0.name == "attribute after MESSAGE-INTEGRITY" })
        #expect(try !Message(decoding: hex(late.hex)).has(.software))
        let twice = try #require(cases.first { $0.name == "two USERNAME attributes" })
        let message = try Message(decoding: hex(twice.hex))
        #expect(message.first(.username) == .username("RFRA:LFRA"))
        #expect(message.attributes.filter { $0.type == .username }.count == 1)
        #expect(message.allAttributes.filter { $0.type == .username }.count == 2)
    }

    @Test func typesAreWovenAsPublished() throws {
        struct Item: Decodable { let method_value: UInt16, cls, type: String }
        let items: [Item] = try TestVectors.json("ice/stun-message-types.json")
        let classes: [String: MessageType.Class] = [
            "request": .request, "indication": .indication, "success": .success, "error": .error,
        ]
        for item in items {
            let messageClass = try #require(classes[item.cls])
            let method = MessageType.Method(rawValue: item.method_value)
            let type = MessageType(messageClass, method)
            #expect(type.rawValue == UInt16(item.type.dropFirst(2), radix: 16))
            #expect(type.messageClass == messageClass)
            #expect(type.method == method)
        }
    }

    @Test func addressesAreMaskedAsPublished() throws {
        struct Item: Decodable { let transaction, ip, value: String, port: UInt16 }
        let items: [Item] = try TestVectors.json("ice/stun-xor-address.json")
        for item in items {
            let id = transaction(hex(item.transaction))
            let endpoint = Endpoint(try #require(IPAddress(item.ip)), port: item.port)
            var builder = MessageBuilder(.success, .binding, id)
            builder.add(.xorAddress(.xorMappedAddress, endpoint))
            let bytes = builder.finished()
            #expect(Array(bytes[24...]) == hex(item.value))
            #expect(try Message(decoding: bytes).first(.xorMappedAddress) == .xorAddress(.xorMappedAddress, endpoint))
        }
    }

    /// All STUN packets of recorded conversations, with the keys that were in use.
    static func recordings() throws -> [(bytes: [UInt8], isChecked: Bool)] {
        var packets: [(bytes: [UInt8], isChecked: Bool)] = []
        func collect(_ value: Any) {
            if let list = value as? [Any] { list.forEach(collect) }
            guard let object = value as? [String: Any] else { return }
            if let text = object["hex"] as? String {
                let bytes = hex(text)
                let isSTUN = object["decoded"] is [String: Any] || object["method"] is String || object["t"] != nil
                packets.append((bytes, isSTUN))
            }
            for key in object.keys.sorted() { collect(object[key] as Any) }
        }
        for file in [
            "ice/turn-flow-coturn-udp.json", "ice/turn-flow-coturn-tcp.json", "ice/turn-flow-coturn-rfc6062.json",
            "ice/ice-session-aioice-prc-prc.json", "ice/ice-session-libjuice-prc-sym-turn.json",
            "jami/stun-messages.json",
        ] { collect(try TestVectors.object(file)) }
        return packets
    }

    static let recordedKeys: [IntegrityKey] = [
        IntegrityKey(longTerm: "user", realm: "lab", password: "pass"),
        IntegrityKey(shortTerm: "uowTEcys6RIaXtXEJuZEQB"), IntegrityKey(shortTerm: "Zu4YztLTa3xdiJ2bg7ILuh"),
        IntegrityKey(shortTerm: "417862b376e9a856592a8f33"), IntegrityKey(shortTerm: "74fac9a02fd803194cec1cfd"),
    ]

    @Test func recordedMessagesAreAuthenticAndWrittenBackByteForByte() throws {
        let session = try #require(
            try TestVectors.object("ice/ice-session-libjuice-prc-sym-turn.json") as? [String: Any])
        var keys = Self.recordedKeys
        for side in ["a", "b"] {
            let password = (session[side] as? [String: Any])?["pwd"] as? String
            keys.append(IntegrityKey(shortTerm: try #require(password)))
        }
        var (count, protected) = (0, 0)
        for packet in try Self.recordings() where Message.isSTUN(packet.bytes.span) {
            let message = try Message(decoding: packet.bytes)
            count += 1
            let key = message.hasIntegrity ? keys.first { message.isAuthentic(under: $0) } : nil
            if message.hasIntegrity, key != nil { protected += 1 }
            guard key != nil || !message.hasIntegrity else { continue }
            #expect(rebuilt(message, key: key, padding: 0) == packet.bytes)
        }
        #expect(count > 150, "\(count) messages")
        #expect(protected > 90, "\(protected) of them protected")
    }

    @Test func mutatedMessagesNeverTrap() throws {
        var random = RandomSource.seeded(1)
        let seeds = try Self.recordings().map(\.bytes).filter { $0.count < 400 }
        var accepted = 0
        for _ in 0..<6000 {
            let bytes = mutated(seeds.randomElement(using: &random) ?? [], &random)
            guard let message = try? Message(decoding: bytes) else { continue }
            accepted += 1
            _ = message.attributes.map { $0.type }
            _ = message.isAuthentic(under: Self.recordedKeys[0], allowingTruncation: true)
            #expect(rebuilt(message, key: nil, padding: nil).count == bytes.count)
        }
        #expect(accepted > 0)
    }
}

/// Writes a message anew from its typed attributes; integrity with a key, or as it was read.
private func rebuilt(_ message: Message, key: IntegrityKey?, padding: UInt8?) -> [UInt8] {
    var builder = MessageBuilder(message.type, message.transaction)
    var hasFingerprint = false
    for attribute in message.allAttributes {
        switch (attribute.type, key) {
        case (.messageIntegrity, let key?): builder.addIntegrity(key)
        case (.messageIntegritySHA256, let key?): builder.addIntegritySHA256(key)
        case (.fingerprint, _): hasFingerprint = true
        default: builder.add(attribute, padding: padding ?? 0)
        }
    }
    return hasFingerprint ? builder.finishedWithFingerprint() : builder.finished()
}

func transaction(_ bytes: [UInt8]) -> TransactionID {
    let word = { (range: Range<Int>) in bytes[range].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
    return TransactionID(high: UInt32(word(0..<4)), low: word(4..<12))
}

/// A copy with a few bytes changed, removed, doubled or cut off.
func mutated(_ bytes: [UInt8], _ random: inout RandomSource) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
        let index = Int.random(in: bytes.indices, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0, 1: bytes[index] = UInt8.random(in: .min ... .max, using: &random)
        case 2: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 3: bytes.remove(at: index)
        case 4: bytes.insert(bytes[index], at: index)
        default: bytes.removeLast(Int.random(in: 0...bytes.count - index - 1, using: &random))
        }
    }
    return bytes
}
