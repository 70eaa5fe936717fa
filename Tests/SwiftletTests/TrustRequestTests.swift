import SansIO
import SwiftDHT
import Testing

@testable import Swiftlet

@Suite struct TrustRequestTests {
    @Test func thePackedBodyOfOpenDHTIsReadAndWrittenByteByByte() throws {
        let body = try TypedValues.body(of: "TrustRequest")
        let request = try TrustRequest(decoding: body)
        #expect(
            request
                == TrustRequest(
                    service: TrustRequest.jami, conversationID: "0123abcd", payload: [1, 2, 3],
                    isConfirmation: true))
        #expect(request.encoded == body)
    }

    @Test(arguments: [nil, 0, 1_790_000_000_000, -1] as [Int64?])
    func theTimeOfTheInvitationIsKept(milliseconds: Int64?) throws {
        let request = TrustRequest(conversationID: "c", payload: [9], invitedMilliseconds: milliseconds)
        #expect(try TrustRequest(decoding: request.encoded) == request)
    }

    @Test func missingFieldsAreEmptyAndUnknownOnesPassedOver() throws {
        #expect(try TrustRequest(decoding: [0x80]) == TrustRequest(service: ""))
        let bytes = [0x82, 0xA1, 0x78, 0x92, 1, 2, 0xA7] + Array("confirm".utf8) + [0xC3]
        #expect(try TrustRequest(decoding: bytes) == TrustRequest(service: "", isConfirmation: true))
    }

    @Test func thePayloadMayBeText() throws {
        let bytes = [0x81, 0xA7] + Array("payload".utf8) + [0xA2, 0x68, 0x69]
        #expect(try TrustRequest(decoding: bytes).payload == Array("hi".utf8))
    }

    @Test func fieldsHaveLimits() throws {
        let long = String(repeating: "x", count: TrustRequest.nameLimit + 1)
        for request in [
            TrustRequest(service: long), TrustRequest(conversationID: long),
            TrustRequest(payload: [UInt8](repeating: 0, count: TrustRequest.payloadLimit + 1)),
        ] {
            #expect(throws: WireError.self) { try TrustRequest(decoding: request.encoded) }
        }
        let largest = TrustRequest(
            service: String(long.dropLast()), conversationID: String(long.dropLast()),
            payload: [UInt8](repeating: 0, count: TrustRequest.payloadLimit))
        #expect(try TrustRequest(decoding: largest.encoded) == largest)
    }

    @Test(
        arguments: [
            [], [0xC0], [0x90], [0x81], [0x81, 1, 2], [0x81, 0xA7] + Array("service".utf8) + [1],
            [0x81, 0xA7] + Array("confirm".utf8) + [1], [0x81, 0xA9] + Array("invitedMs".utf8) + [0xC0],
        ] as [[UInt8]])
    func whatIsNoRequestIsRefused(bytes: [UInt8]) {
        #expect(throws: WireError.self) { try TrustRequest(decoding: bytes) }
    }

    @Test func damageIsAnErrorAtWorst() throws {
        var random = RandomSource.seeded(4)
        let timed = TrustRequest(conversationID: "c", payload: random.bytes(40), invitedMilliseconds: .max)
        for whole in [try TypedValues.body(of: "TrustRequest"), timed.encoded] {
            for _ in 0..<2000 {
                guard let request = try? TrustRequest(decoding: whole.damaged(using: &random)) else { continue }
                #expect(try TrustRequest(decoding: request.encoded) == request)
            }
        }
    }
}
