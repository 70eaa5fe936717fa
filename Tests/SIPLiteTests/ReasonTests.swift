import SIPLite
import SansIO
import Testing

@Suite("Reasons (RFC 3326)")
struct ReasonTests {
    @Test(
        "The forms of the standard are read",
        arguments: [
            ("SIP ;cause=200 ;text=\"Call completed elsewhere\"", "SIP", 200, "Call completed elsewhere"),
            ("Q.850 ;cause=16 ;text=\"Terminated\"", "Q.850", 16, "Terminated"),
            ("SIP;cause=603;text=\"say \\\"no\\\" \\\\ twice\"", "SIP", 603, "say \"no\" \\ twice"),
            ("SIP;cause=603;text=busy", "SIP", 603, "busy"), ("preemption", "preemption", nil, ""),
            ("SIP;cause=99999999999;text=\"\"", "SIP", nil, ""),
        ] as [(String, String, Int?, String)])
    func forms(text: String, source: String, cause: Int?, words: String) throws {
        let reason = try Reason(text)
        #expect(reason.source == source && reason.cause == cause && reason.text == words)
        #expect(try Reason(reason.description) == reason)
    }

    @Test("What is none is refused", arguments: ["", ";cause=1", "SIP cause=1", "SIP;", "SIP;text=\"open", "SIP;=3"])
    func malformed(text: String) { #expect(throws: WireError.self) { try Reason(text) } }

    @Test("Words are one line of limited length")
    func tidied() throws {
        #expect(Reason(cause: 603, text: "two\r\nlines\u{7}").text == "two  lines ")
        let long = Reason(cause: 603, text: String(repeating: "ä", count: 400))
        #expect(long.text.utf8.count == Reason.textLimit)
        #expect(try Reason(long.description) == long)
    }

    @Test("A message with several reasons gives the first that can be read")
    func inMessage() {
        var message = Message(status: 603)
        #expect(message.reason() == nil)
        message.fields.append(.reason, "SIP;cause=")
        message.fields.append(.reason, "Q.850;cause=21, SIP;cause=603;text=\"a, b\"")
        #expect(message.reason() == Reason(source: "Q.850", cause: 21, text: ""))
    }

    @Test("No mutation of a reason traps, and what is read is written so that it can be read again")
    func mutations() {
        let text = Array("SIP;cause=603;text=\"at \\\"lunch\\\"\"".utf8)
        for position in text.indices {
            for value in UInt8.min...UInt8.max {
                var changed = text
                changed[position] = value
                guard let read = String(validating: changed, as: UTF8.self), let reason = try? Reason(read) else {
                    continue
                }
                #expect((try? Reason(reason.description)) == reason)
            }
        }
    }
}
