import Foundation

/// Prints the demo's steps, one line each, with the time since it began.
final class DemoTimeline: Sendable {
    private let start = Printer.now

    /// Prints one line about a process; an empty name is the demo itself.
    func say(_ who: String, _ what: String) {
        let time = String(format: "%8.3f s", Printer.now - start)
        Printer(isJSON: false).event(
            "", line: "\(time)  \(who.padding(toLength: 6, withPad: " ", startingAt: 0)) \(what)")
    }

    /// Prints what an event means, with the time it happened.
    func show(_ event: ChildProcess.Event, of who: String) {
        guard let what = Self.describe(event) else { return }
        let time = String(format: "%8.3f s", event.time - start)
        Printer(isJSON: false).event(
            "", line: "\(time)  \(who.padding(toLength: 6, withPad: " ", startingAt: 0)) \(what)")
    }

    /// Prints what both sides counted.
    func summarise(_ seen: DemoRecord) {
        for (name, events) in [("alice", seen.alice), ("bob", seen.bob)] {
            guard let facts = events.first(where: { $0.name == "statistics" }) else { continue }
            say(
                name,
                "packets: \(facts["sent"]) sent, \(facts["received"]) received, \(facts["lost"]) lost; "
                    + String(format: "jitter %.2f ms, ", facts.number("jitterMs"))
                    + "\(facts["concealed"]) blocks concealed, \(facts["reportsReceived"]) RTCP reports received")
        }
    }

    private static func describe(_ event: ChildProcess.Event) -> String? {
        switch event.name {
        case "dialing": "dials \(event["peer"])"
        case "device-found": "found device \(event["device"].prefix(8))… on the DHT"
        case "requested": "put the call request on the DHT, encrypted for the device"
        case "request-received": "received the request"
        case "replied": "received the reply"
        case "path-found": "\(event["transport"]) path \(event["local"]) -> \(event["remote"])"
        case "secured": "secured: \(event["version"]) \(event["cipher"])"
        case "incoming-call": "is called by \(event["name"])"
        case "ringing": "hears it ring"
        case "answered": "answered"
        case "media-connected":
            "sound: \(event["codec"]), UDP \(event["rtpLocal"]) -> \(event["rtpRemote"]) (\(event["kind"]))"
        case "first-audio": "hears the other"
        case "call-message": "message received: \(event["text"])"
        case "profile": "profile received"
        case "peer-muted": "is told that the other's microphone is \(event["muted"] == "1" ? "off" : "on")"
        case "ended": "call ended: \(event["reason"])"
        case "error": "error: \(event["message"])"
        default: nil
        }
    }
}
