/// What Alice and Bob reported of their call.
struct DemoRecord {
    let alice: [ChildProcess.Event]
    let bob: [ChildProcess.Event]

    /// The two waits that people feel, in milliseconds; those that happened.
    var intervals: [(name: String, milliseconds: Int)] {
        var intervals: [(String, Int)] = []
        if let dial = alice.time(of: "dialing"), let ringing = alice.time(of: "ringing") {
            intervals.append(("dial to ringing", Self.milliseconds(from: dial, to: ringing)))
        }
        if let answer = bob.time(of: "answered"), let alicesFirst = alice.time(of: "first-audio"),
            let bobsFirst = bob.time(of: "first-audio")
        {
            intervals.append(
                ("answer to first audio", Self.milliseconds(from: answer, to: max(alicesFirst, bobsFirst))))
        }
        return intervals
    }

    private static func milliseconds(from start: Double, to end: Double) -> Int {
        Int(((end - start) * 1000).rounded())
    }

    /// What is missing or wrong.
    func faults(ending: Demo.Ending, without: String?) -> [String] {
        var faults: [String] = []
        let steps = ["device-found", "requested", "replied", "path-found", "secured", "ringing"]
        for step in steps where alice.time(of: step) == nil { faults.append("Alice missed the step \(step)") }
        for error in (alice + bob) where error.name == "error" && ending == .talked { faults.append(error["message"]) }
        let version = alice.first { $0.name == "secured" }?["version"] ?? ""
        let expected = without == "tcp" ? "DTLS1.2" : "TLS1.3"
        if !version.isEmpty, version != expected { faults.append("secured with \(version) instead of \(expected)") }
        return faults + (ending == .talked ? talkFaults : endFaults(ending))
    }

    private var talkFaults: [String] {
        var faults: [String] = []
        for (name, events, text) in [("Alice", alice, "hello from Bob"), ("Bob", bob, "hello from Alice")] {
            for step in ["answered", "media-connected", "first-audio", "profile", "peer-muted", "statistics"]
            where events.time(of: step) == nil { faults.append("\(name) missed the step \(step)") }
            if !events.contains(where: { $0.name == "call-message" && $0["text"] == text }) {
                faults.append("\(name) did not get the message")
            }
            guard let statistics = events.first(where: { $0.name == "statistics" }) else { continue }
            if statistics.number("lost") > 0 { faults.append("\(name) lost packets on the way") }
            if statistics.number("reportsReceived") < 1 { faults.append("\(name) got no RTCP report") }
        }
        return faults
    }

    private func endFaults(_ ending: Demo.Ending) -> [String] {
        let reasons = ending == .declined ? ("remote-declined", "declined") : ("cancelled", "remote-cancelled")
        var faults: [String] = []
        for (name, events, reason) in [("Alice", alice, reasons.0), ("Bob", bob, reasons.1)] {
            let actual = events.first { $0.name == "ended" }?["reason"] ?? "nothing"
            if actual != reason { faults.append("\(name)'s call ended with \(actual) instead of \(reason)") }
        }
        return faults
    }
}

extension [ChildProcess.Event] {
    /// When an event of this name first happened.
    func time(of name: String) -> Double? { first { $0.name == name }?.time }
}
