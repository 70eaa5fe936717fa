import MediaRTP
import SansIO
import SecureChannel
import Swiftlet

/// Prints what happens in a call.
struct CallReport {
    let printer: Printer
    let call: CallID

    func print(_ event: CallEvent) {
        let description = Self.describe(event)
        let number = ("call", Printer.Fact.integer(Int(call.rawValue)))
        printer.event(description.name, [number] + description.facts, line: description.line)
    }

    private typealias Description = (name: String, facts: [(String, Printer.Fact)], line: String?)

    private static func describe(_ event: CallEvent) -> Description {
        switch event {
        case .deviceFound(let device):
            return ("device-found", [("device", .text(device.hex))], "found a device of the peer")
        case .requested(let device): return ("requested", [("device", .text(device.hex))], "asked it for a connection")
        case .replied(let device): return ("replied", [("device", .text(device.hex))], "it replied")
        case .pathFound(let device, let transport, let local, let remote):
            return (
                "path-found",
                [
                    ("device", .text(device.hex)), ("transport", .text(transport)),
                    ("local", .text(local.description)), ("remote", .text(remote.description)),
                ], "path found: \(transport) \(local) to \(remote)"
            )
        case .secured(let device, let version, let suite):
            return (
                "secured",
                [("device", .text(device.hex)), ("version", .text(version)), ("cipher", .text(suite))],
                "secured with \(version) \(suite)"
            )
        case .invited: return ("invited", [], nil)
        case .ringing: return ("ringing", [], "ringing")
        case .answered: return ("answered", [], "answered")
        case .mediaConnected(let rtp, let rtcp, let codec):
            return (
                "media-connected",
                [
                    ("codec", .text(codec)), ("rtpLocal", .text(rtp.local.description)),
                    ("rtpRemote", .text(rtp.remote.description)), ("rtcpLocal", .text(rtcp.local.description)),
                    ("rtcpRemote", .text(rtcp.remote.description)), ("kind", .text(rtp.kind)),
                ], "sound: \(codec) over UDP \(rtp.local) to \(rtp.remote)"
            )
        case .firstAudio: return ("first-audio", [], "the peer can be heard")
        case .message(let message):
            let text = message.text ?? "(\(message.contentType), \(message.content.count) bytes)"
            return (
                "call-message", [("type", .text(message.contentType)), ("text", .text(text))],
                "message: \(Printer.printable(text))"
            )
        case .profile(let card):
            return ("profile", [("vcard", .text(card))], "profile of the peer received")
        case .peerMuted(let isMuted):
            return ("peer-muted", [("muted", .flag(isMuted))], isMuted ? "the peer muted itself" : "the peer is back")
        case .held(let isHeld):
            return ("held", [("held", .flag(isHeld))], isHeld ? "the peer waits" : "the call goes on")
        case .peerHeld(let isHeld):
            return ("peer-held", [("held", .flag(isHeld))], isHeld ? "the peer lets you wait" : "the peer goes on")
        case .changeFailed(let change, let status):
            let facts: [(String, Printer.Fact)] = status.map { [("status", .integer($0))] } ?? []
            return (
                "change-failed", [("change", .text(change.rawValue))] + facts,
                "\(change.rawValue) did not succeed; the call goes on as it was"
            )
        case .declineReason(let text):
            return ("decline-reason", [("text", .text(text))], "the peer says: \(Printer.printable(text))")
        case .statistics(let statistics): return describe(statistics)
        case .ended(let why): return ("ended", [("reason", .text(why.name))], "ended: \(why.line)")
        }
    }

    private static func describe(_ statistics: MediaStatistics) -> Description {
        var facts: [(String, Printer.Fact)] = [
            ("sent", .integer(statistics.sent)), ("received", .integer(statistics.received)),
            ("lost", .integer(statistics.lost)), ("late", .integer(statistics.late)),
            ("refused", .integer(statistics.refused)), ("concealed", .integer(statistics.concealedBlocks)),
            ("jitterMs", .number(statistics.jitter.milliseconds)),
            ("playoutDelayMs", .number(statistics.playoutDelay.milliseconds)),
            ("reportsSent", .integer(statistics.reportsSent)),
            ("reportsReceived", .integer(statistics.reportsReceived)),
        ]
        if let roundTrip = statistics.roundTrip { facts.append(("roundTripMs", .number(roundTrip.milliseconds))) }
        let jitter = (statistics.jitter.milliseconds * 10).rounded() / 10
        return (
            "statistics", facts,
            "packets: \(statistics.sent) sent, \(statistics.received) received, \(statistics.lost) lost; jitter \(jitter) ms"
        )
    }
}
