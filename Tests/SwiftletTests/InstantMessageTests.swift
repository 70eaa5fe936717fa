import SansIO
import Testing

@testable import Swiftlet

@Suite struct InstantMessageTests {
    @Test func thePackedBodyOfOpenDHTIsReadAndWrittenByteByByte() throws {
        let body = try TypedValues.body(of: "ImMessage")
        let message = try InstantMessage(decoding: body)
        #expect(
            message
                == InstantMessage(
                    id: 42, content: "hello", unixSeconds: 1_700_000_000, contentType: "text/plain",
                    metadata: [InstantMessage.Pair(key: "k", value: "v")]))
        #expect(!message.isConfirmation)
        #expect(message.encoded == body)
    }

    @Test func aTextWithoutContentConfirms() throws {
        let message = InstantMessage(id: .max, content: "", unixSeconds: -1)
        #expect(try InstantMessage(decoding: message.encoded) == message)
        #expect(message.isConfirmation)
        #expect(try InstantMessage(decoding: [0x80]).isConfirmation)
    }

    @Test func fieldsHaveLimits() throws {
        let long = String(repeating: "x", count: InstantMessage.contentTypeLimit + 1)
        let pairs = (0...InstantMessage.metadataLimit).map { InstantMessage.Pair(key: "\($0)", value: "") }
        for message in [
            InstantMessage(id: 1, content: "x", unixSeconds: 0, contentType: long),
            InstantMessage(id: 1, content: "x", unixSeconds: 0, metadata: pairs),
        ] {
            #expect(throws: WireError.self) { try InstantMessage(decoding: message.encoded) }
        }
    }

    @Test func mutationsAreReadOrRefused() throws {
        let body = try TypedValues.body(of: "ImMessage")
        var random = RandomSource.seeded(3)
        for _ in 0..<5000 {
            var bytes = body
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            bytes.removeLast(Int.random(in: 0...min(3, bytes.count), using: &random))
            guard let message = try? InstantMessage(decoding: bytes) else { continue }
            #expect(try InstantMessage(decoding: message.encoded) == message)
        }
    }
}
