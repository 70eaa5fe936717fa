import SansIO
import SecureChannel
import SwiftDHT
import SwiftICE
import TestVectors
import Testing

@testable import Swiftlet

/// Bodies captured between stock peers: request and answer, of 13.7.0 and of today's connection layer.
private enum Captured {
    static func bodies() throws -> [[UInt8]] { try stock() + today() }

    static func stock() throws -> [[UInt8]] {
        struct Entry: Decodable {
            struct Body: Decodable {
                let data: String
                let utype: String?
            }
            let body: Body
        }
        let entries: [Entry] = try TestVectors.json("jami/dht-values.json")
        return entries.filter { $0.body.utype == ConnectionRequest.userType }.map { hex($0.body.data) }
    }

    static func today() throws -> [[UInt8]] {
        struct Entry: Decodable {
            let data_hex: String?
            let utype: String?
        }
        let entries: [Entry] = try TestVectors.json("jami-now/dht-values.json")
        return entries.filter { $0.utype == ConnectionRequest.userType }.compactMap(\.data_hex).map { hex($0) }
    }
}

@Suite struct ConnectionRequestTests {
    private static func session(_ seed: UInt64) throws -> SwiftICE.SessionDescription {
        var random = RandomSource.seeded(seed)
        let credentials = SwiftICE.Credentials(random: &random)
        let line = "Hc0a8007b 1 TCP 2130706431 192.168.0.123 4000 typ host tcptype passive"
        return try SwiftICE.SessionDescription(
            text: "\(credentials.fragment)\n\(credentials.password)\n\(line)\n")
    }

    @Test func capturedBodiesAreReadAndWrittenByteByByte() throws {
        let bodies = try Captured.bodies()
        #expect(bodies.count == 4)
        for body in bodies {
            let request = try ConnectionRequest(decoding: body)
            #expect(request.encoded == body)
            #expect(ConnectionRequest.identifiers.contains(request.id))
            #expect(request.extension == nil && request.session.candidates.count == 3)
        }
    }

    @Test func capturedAnswersRepeatTheNumber() throws {
        for era in [try Captured.stock(), try Captured.today()] {
            let (request, answer) = (try ConnectionRequest(decoding: era[0]), try ConnectionRequest(decoding: era[1]))
            #expect(!request.isAnswer && answer.isAnswer && request.id == answer.id)
            #expect(request.connectionType == "audioCall" && answer.connectionType == "")
            #expect(request.session != answer.session)
        }
    }

    @Test func keysAreThoseOfBothEras() throws {
        let short = try #require(ShortID(hex: "793d228316328f6a8d10e296a1b4765a92931d56"))
        let long = try #require(LongID(hex: "087aefff51c01f16ae43d93a371f95347cfedf8a22e38257fb59866583a8aedb"))
        #expect("\(ConnectionRequest.key(short: short))" == "cac9a9ebb42b1a51530782b3df8ff1e588dc5c37")
        #expect("\(ConnectionRequest.key(long: long))" == "bfc6060f8a6f685d8d24e933d0eb59b4e23840ec")
        #expect("\(TrustRequest.inbox(of: short))" == "bc0992d7ac84c26d3fb381df580166a854f919bf")
    }

    @Test func extensionsSurvive() throws {
        for udp in [nil, try Self.session(2)] {
            let request = ConnectionRequest(
                id: 7, session: try Self.session(1), isAnswer: false, connectionType: "audioCall",
                extension: .init(version: 3, udp: udp))
            #expect(try ConnectionRequest(decoding: request.encoded) == request)
        }
    }

    @Test func stockReadersSeeTheirKeysFirst() throws {
        var request = try ConnectionRequest(decoding: try #require(try Captured.bodies().first))
        let stock = request.encoded
        request.extension = .init(version: 1, udp: nil)
        let ours = request.encoded
        #expect(ours[0] == 0x85 && stock[0] == 0x84)
        #expect(ours[1..<stock.count] == stock[1...])
        #expect(Array(ours[stock.count...]) == [0xA8] + Array("swiftlet".utf8) + [0x81, 0xA1, 0x76, 1])
    }

    /// Writes a map of the given keys, each with its usual value.
    private static func map(_ keys: [String]) throws -> [UInt8] {
        var writer = MessagePackWriter()
        writer.writeMapHeader(keys.count)
        for key in keys {
            writer.write(key)
            switch key {
            case "id": writer.write(5)
            case "ice_msg": writer.write(try session(1).text)
            case "isAnswer": writer.write(true)
            case "connType": writer.write("videoCall")
            case "swiftlet":
                writer.writeMapHeader(3)
                writer.write("later")
                writer.write(packed: [0x81, 1, 2])
                writer.write("udp")
                writer.write(try session(2).text)
                writer.write("v")
                writer.write(9)
            default: writer.write(packed: [0x92, 0xC0, 0x81, 1, 2])
            }
        }
        return writer.bytes
    }

    @Test func keysMayComeInAnyOrderAmongUnknownOnes() throws {
        let request = try ConnectionRequest(
            decoding: Self.map(["swiftlet", "x", "isAnswer", "ice_msg", "connType", "y", "id"]))
        #expect(
            request
                == ConnectionRequest(
                    id: 5, session: try Self.session(1), isAnswer: true, connectionType: "videoCall",
                    extension: .init(version: 9, udp: try Self.session(2))))
    }

    @Test func onlyTheConnectionTypeMayBeMissing() throws {
        let known = ["id", "ice_msg", "isAnswer"]
        #expect(try ConnectionRequest(decoding: Self.map(known)).connectionType == "")
        for missing in known {
            let bytes = try Self.map(known.filter { $0 != missing })
            #expect(throws: WireError.malformed(.init(rawValue: missing), at: 0)) {
                try ConnectionRequest(decoding: bytes)
            }
        }
    }

    @Test(
        arguments: [
            [], [0xC0], [0x84], [0x81, 0xA2, 0x69, 0x64, 0xFF], [0x81, 1, 2],
            [0x81, 0xA8] + Array("swiftlet".utf8) + [1], [0x81, 0xA8] + Array("swiftlet".utf8) + [0x80],
            [0x81, 0xA7] + Array("ice_msg".utf8) + [0xA0],
        ] as [[UInt8]])
    func whatIsNoRequestIsRefused(bytes: [UInt8]) {
        #expect(throws: WireError.self) { try ConnectionRequest(decoding: bytes) }
    }

    @Test func textsHaveLimits() throws {
        let session = try Self.session(1)
        func sized(_ count: Int) -> [UInt8] {
            var writer = MessagePackWriter()
            writer.writeMapHeader(3)
            writer.write("id")
            writer.write(1)
            writer.write("isAnswer")
            writer.write(false)
            writer.write("ice_msg")
            writer.write(session.text + String(repeating: "\n", count: count - session.text.utf8.count))
            return writer.bytes
        }
        #expect(try ConnectionRequest(decoding: sized(ConnectionRequest.sessionLimit)).id == 1)
        #expect(throws: WireError.overLimit("ice_msg", limit: ConnectionRequest.sessionLimit)) {
            try ConnectionRequest(decoding: sized(ConnectionRequest.sessionLimit + 1))
        }
        let limit = ConnectionRequest.connectionTypeLimit
        for count in [limit, limit + 1] {
            let request = ConnectionRequest(
                id: 1, session: session, isAnswer: false,
                connectionType: String(repeating: "x", count: count))
            #expect(((try? ConnectionRequest(decoding: request.encoded)) == request) == (count == limit))
        }
    }

    @Test func damageIsAnErrorAtWorst() throws {
        var random = RandomSource.seeded(3)
        let extended = ConnectionRequest(
            id: .max, session: try Self.session(1), isAnswer: true,
            extension: .init(version: 1, udp: try Self.session(2)))
        for whole in try Captured.bodies() + [extended.encoded] {
            for _ in 0..<1000 {
                let bytes = whole.damaged(using: &random)
                guard let request = try? ConnectionRequest(decoding: bytes) else { continue }
                #expect(try ConnectionRequest(decoding: request.encoded).encoded == request.encoded)
            }
        }
    }
}

extension [UInt8] {
    /// The bytes with one to four of them changed, and maybe cut short.
    func damaged(using random: inout RandomSource) -> [UInt8] {
        var bytes = self
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8(truncatingIfNeeded: random.next())
        }
        if Int.random(in: 0..<4, using: &random) == 0 {
            bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
        }
        return bytes
    }
}
