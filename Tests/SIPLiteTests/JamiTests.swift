import SIPLite
import SansIO
import TestVectors
import Testing

@Suite("What Jami peers carry in calls")
struct JamiTests {
    @Test("Captured media control is read, and written to the byte")
    func mediaControl() throws {
        var count = 0
        for (name, bytes) in try MessageTests.captured() where name.contains("INFO.sip") {
            let message = try Message(decoding: bytes)
            guard message.method == .info else { continue }
            let body = Body(contentType: message.fields.text(.contentType) ?? "", bytes: message.body)
            let control = try #require(MediaControl(body), "\(name)")
            #expect(control.body == body, "\(name)")
            count += 1
        }
        #expect(count >= 5)
    }

    @Test(
        "Every statement survives the wire",
        arguments: [
            MediaControl(.fastUpdate), MediaControl(.fastUpdate, stream: 3),
            MediaControl(.orientation(degrees: -90), stream: 1),
            MediaControl(.recording(true)), MediaControl(.muted(false)), MediaControl(.voiceActivity(true)),
        ])
    func statements(control: MediaControl) {
        #expect(MediaControl(control.body) == control)
    }

    @Test("Anything else says nothing")
    func nonsense() {
        func read(_ text: String) -> MediaControl? {
            MediaControl(Body(contentType: MediaControl.contentType, bytes: Array(text.utf8)))
        }
        #expect(read("") == nil && read("<mute_state=2/>") == nil && read("device_orientation=99999999999999") == nil)
        #expect(read("device_orientation=900") == nil && read("mute_state=") == nil)
        #expect(MediaControl(Body(text: "picture_fast_update")) == nil)
    }

    @Test("A card arrives whole, in any order of its parts")
    func cards() {
        let card = "BEGIN:VCARD\nFN:Änne\n" + String(repeating: "é0123456789", count: 400) + "\nEND:VCARD"
        let messages = ProfileCard.messages(of: card, id: 77)
        #expect(messages.count == 5 && messages[0].contentType == "x-ring/ring.profile.vcard;id=77,part=1,of=5")
        var assembler = ProfileCardAssembler()
        let results = messages.reversed().map { assembler.receive($0) }
        #expect(results.dropLast().allSatisfy { $0 == nil } && results.last == Array(card.utf8))
        #expect(ProfileCard.messages(of: "", id: 1).count == 1)
    }

    @Test("Cards over the limits, and other messages, are ignored")
    func hostileCards() {
        var assembler = ProfileCardAssembler()
        let type = "x-ring/ring.profile.vcard"
        for parameters in [
            "", ";id=1", ";id=1,part=0,of=1", ";id=1,part=2,of=1", ";id=1,part=1,of=99999999999999",
            ";id=-1,part=1,of=1", ";id=1,part=1,of=4000",
        ] { #expect(assembler.receive(Body(contentType: type + parameters, bytes: [1])) == nil) }
        let half = Array(repeating: UInt8(1), count: ProfileCardAssembler.maximumSize)
        #expect(assembler.receive(Body(contentType: "\(type);id=1,part=1,of=2", bytes: half)) == nil)
        #expect(assembler.receive(Body(contentType: "\(type);id=1,part=2,of=2", bytes: half)) == nil)
        #expect(assembler.receive(Body(contentType: "\(type);id=2,part=1,of=1", bytes: [9])) == [9])
    }

    @Test("Versions are found where peers look for them, ours among them")
    func versions() throws {
        #expect(JamiVersion(userAgent: "Jami Daemon 13.7.0 (linux)") == JamiVersion(13, 7, 0))
        #expect(JamiVersion(userAgent: UserAgent.Configuration().userAgent) == JamiVersion(13, 7, 0))
        #expect(JamiVersion(userAgent: "Jami Daemon 9.11-x") == JamiVersion(9, 11, 0))
        let new = try #require(JamiVersion(userAgent: "Jami Daemon 13.7.0"))
        #expect(new >= .keepsTransport && JamiVersion(9, 99, 0) < .severalStreams)
        for bad in ["", "Jami Daemon", "Jami Daemon ", "Jami Daemon x", "Jami Daemon 1.2.3.4", "Jami Daemon 1..2"] {
            #expect(JamiVersion(userAgent: bad) == nil, "\(bad)")
        }
    }
}
