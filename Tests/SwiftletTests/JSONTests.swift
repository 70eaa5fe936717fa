import SansIO
import Testing

@testable import Swiftlet

@Suite struct JSONTests {
    private static func read(_ text: String) throws(WireError) -> JSON { try JSON(decoding: Array(text.utf8)) }

    @Test(
        "Values are kept as they came",
        arguments: [
            "null", "true", "false", "0", "-0", "12", "-1.50", "1e9", "2E+3", "18446744073709551616", "0.10e-07",
            "\"\"",
            "\"a/b\"", "\"é 😀\"", "[]", "[1,[2,{}],\"3\"]", "{}", "{\"b\":1,\"a\":{\"c\":[null]}}", "{\"\":0}",
            "\"\\\"\\\\\\n\\u0000\\u001f\\b\\f\\r\\t\"",
        ])
    func roundTrip(text: String) throws {
        #expect(try Self.read(text).encoded == Array(text.utf8))
        #expect(try Self.read(" \t\r\n" + text + " \n").encoded == Array(text.utf8))
    }

    @Test("Every escape is read")
    func escapes() throws {
        let text = #""\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00\u0041""#
        #expect(try Self.read(text) == .text("\"\\/\u{8}\u{C}\n\r\té😀A"))
    }

    @Test(
        "What only resembles JSON is refused",
        arguments: [
            "", " ", "nul", "True", "01", "+1", "1.", ".5", "-", "1e", "0x10", "NaN", "'a'", "\"a", "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12G4\"", "\"\\uD800\"", "\"\\uDC00\\uD800\"", "\"\\uD800\\u0041\"", "\"\t\"", "[1,]", "[,1]", "[1 2]",
            "[",
            "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:2}", "{\"a\":1", "{\"a\":1,\"a\":2}", "1 2", "[]]",
            "// 1",
        ])
    func refusals(text: String) { #expect(throws: WireError.self) { try Self.read(text) } }

    @Test("Bytes that are no UTF-8 are refused")
    func invalidText() {
        #expect(throws: WireError.malformed(.json, at: 1)) { try JSON(decoding: [0x22, 0xC3, 0x28, 0x22]) }
        #expect(throws: WireError.self) { try JSON(decoding: [0xFF]) }
    }

    @Test("Depth and number of values have limits")
    func limits() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(try Self.read(nested(32)).encoded == Array(nested(32).utf8))
        #expect(throws: WireError.overLimit(.jsonDepth, limit: 32)) { try Self.read(nested(33)) }
        #expect(throws: WireError.overLimit(.jsonDepth, limit: 32)) {
            try JSON(decoding: [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000))
        }
        let many = "[" + String(repeating: "0,", count: (1 << 18) - 1) + "0]"
        #expect(throws: WireError.overLimit(.jsonValues, limit: 1 << 18)) { try Self.read(many) }
    }
}
