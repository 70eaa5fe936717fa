import SIPLite
import SansIO
import TestVectors
import Testing

@Suite("Torture messages (RFC 4475, RFC 5118)")
struct TortureTests {
    /// What an agent makes of a message.
    enum Outcome: Hashable, CustomStringConvertible {
        case accepted
        case answered(Int)
        case dropped
        case unreadable

        var description: String {
            switch self {
            case .accepted: "accepted"
            case .answered(let status): "\(status)"
            case .dropped: "dropped"
            case .unreadable: "unreadable"
            }
        }
    }

    struct Entry: Decodable {
        let file: String
        let syntax: String
    }

    static let policy = Message.Policy(
        allow: [.invite, .ack, .bye, .cancel, .options, .register, .message, .info, .update],
        descriptions: ["application/sdp", "multipart/mixed"])

    static func outcome(_ bytes: [UInt8]) -> Outcome {
        guard let message = try? Message(decoding: bytes) else { return .unreadable }
        return switch message.validate(policy) {
        case .accepted: .accepted
        case .refused(let refusal): .answered(refusal.status)
        case .dropped: .dropped
        }
    }

    /// The table of expectations; files not named are accepted.
    static let expected: [String: Outcome] = [
        "badaspec": .answered(400), "baddn": .unreadable, "baddn-terminated": .answered(400),
        "badinv01": .answered(400), "badvers": .answered(505), "badbranch": .answered(400), "bcast": .dropped,
        "bext01": .answered(420), "bigcode": .unreadable, "clerr": .answered(400), "esc02": .answered(501),
        "escruri": .answered(400), "insuf": .answered(400), "intmeth": .answered(501), "invut": .answered(415),
        "ltgtruri": .answered(400), "lwsruri": .answered(400), "lwsstart": .answered(400), "mcl01": .answered(400),
        "mismatch01": .answered(400), "mismatch02": .answered(400), "multi01": .answered(400), "ncl": .answered(400),
        "novelsc": .answered(416), "quotbal": .answered(400), "regbadct": .answered(400), "scalar02": .answered(400),
        "scalarlg": .dropped, "sdp01": .answered(406), "test": .unreadable, "trws": .answered(400),
        "unkscm": .answered(416), "unksm2": .answered(400), "ipv6-bad": .answered(400),
        "ipv6-bug-abnf-3-colons": .answered(400),
    ]

    @Test("Each message has the outcome its RFC asks for")
    func table() throws {
        struct Index: Decodable { let messages: [Entry] }
        let entries = try TestVectors.json("sip/index.json", as: Index.self).messages
        #expect(entries.count >= 62)
        for entry in entries {
            let name = String(entry.file.split(separator: "/")[1].dropLast(4))
            let outcome = Self.outcome(try TestVectors.bytes("sip/\(entry.file)"))
            #expect(outcome == Self.expected[name] ?? .accepted, "\(name), \(entry.syntax)")
        }
    }

    @Test("On a stream, alone or in a row, each message has the same fate however it is cut")
    func streams() throws {
        struct Index: Decodable { let messages: [Entry] }
        for entry in try TestVectors.json("sip/index.json", as: Index.self).messages {
            let once = try TestVectors.bytes("sip/\(entry.file)")
            for bytes in [once, once + once] {
                var whole = StreamFramer()
                var cut = StreamFramer()
                let expected = whole.receive(bytes.span)
                var frames: [StreamFramer.Frame] = []
                for byte in bytes { frames += cut.receive([byte].span) }
                #expect(frames == expected, "\(entry.file)")
            }
        }
    }
}
