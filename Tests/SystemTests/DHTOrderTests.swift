import SwiftDHT
import Swiftlet
import Testing

@testable import Node

@Suite("DHT orders")
struct DHTOrderTests {
    private static func key(_ text: String) throws -> DHTKey { try #require(DHTKey(argument: text)) }

    @Test("40 hexadecimal digits are a key, any other text is hashed")
    func keys() throws {
        let digits = "0123456789ABCDEF0123456789abcdef01234567"
        #expect(try Self.key(digits).hash.description == digits.lowercased())
        #expect(try Self.key(digits).text == nil)
        for text in ["a", String(digits.dropLast()), digits + "0", "gggg456789abcdef0123456789abcdef01234567", "ключ"] {
            let key = try Self.key(text)
            #expect(key.hash == InfoHash(hashing: text) && key.text == text)
        }
        #expect(DHTKey(argument: "") == nil)
    }

    @Test("Orders are read by their words and by those of OpenDHT's tool")
    func orders() throws {
        let (key, id) = (try Self.key("k"), String(repeating: "ab", count: 32))
        let reader = try #require(DHTRecipient(id))
        let conditions: [ValueQuery.Where] = [.id(Value.ID(255)), .type(.instantMessage), .userType([97])]
        let table: [(lines: [String], order: DHTOrder)] = [
            (["get k", "g k", "  g   k  "], .get(key, DHTQuestion())),
            (["get k id=ff type=3 utype=a"], .get(key, DHTQuestion(conditions: conditions))),
            (["query k seq", " query  k  seq "], .get(key, DHTQuestion(select: [.seq]))),
            (
                ["query k id owner id=ff type=3 utype=a", "query k id=ff id type=3 owner utype=a"],
                .get(key, DHTQuestion(select: [.id, .owner], conditions: conditions))
            ),
            (["listen k", "l k"], .listen(key, DHTQuestion())),
            (["listen k id=ff type=3 utype=a"], .listen(key, DHTQuestion(conditions: conditions))),
            (["put k two  words ", "p k two  words "], .put(key, text: "two  words ", .plain, permanent: false)),
            (["keep k x", "pp k x"], .put(key, text: "x", .plain, permanent: true)),
            (["sign k x", "s k x"], .put(key, text: "x", .signed, permanent: false)),
            (["encrypt k \(id) x", "e k \(id) x"], .put(key, text: "x", .encrypted(reader), permanent: false)),
            (["cancel 12", "c 12"], .cancel(12)), (["table", "lr"], .inspect(.table)),
            (["searches", "ls"], .inspect(.searches)), (["storage", "ld"], .inspect(.storage)),
            (["stats", "ll"], .inspect(.stats)), (["operations", "lo"], .inspect(.operations)),
            (["bootstrap a:1", "b a:1"], .bootstrap(.init(host: "a", port: 1))),
            (["help", "h", "?"], .help), (["quit", "q", "x", "exit"], .quit), (["", "   "], .nothing),
        ]
        for row in table {
            for line in row.lines { #expect(try DHTOrder.parse(line) == row.order, "\(line)") }
        }
    }

    @Test(
        "What is no order is refused in one line",
        arguments: [
            "frobnicate", "get", "put k", "put k ", "encrypt k x y", "encrypt k", "cancel", "cancel one",
            "get k colour=red",
            "get k owner=12", "bootstrap", "bootstrap a:b", "get k id=", "listen k type=65536",
            "query", "query k", "query k id=ff", "query k colour", "query k id colour=red", "get k id", "listen k id",
        ])
    func refusals(line: String) throws {
        let refusal = #expect(throws: DHTOrder.Refusal.self) { try DHTOrder.parse(line) }
        #expect(refusal?.line.isEmpty == false && refusal?.line.contains("\n") == false)
    }

    @Test("A reader is known by a short or a long id")
    func readers() throws {
        #expect(DHTRecipient(String(repeating: "0", count: 40)) != nil)
        #expect(DHTRecipient(String(repeating: "A", count: 64)) != nil)
        for text in ["", "0", String(repeating: "0", count: 41), String(repeating: "g", count: 40)] {
            #expect(DHTRecipient(text) == nil)
        }
    }
}
