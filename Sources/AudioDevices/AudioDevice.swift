internal import CALSA
internal import Glibc

/// A sound device as the sound library names it.
public struct AudioDevice: Hashable, Sendable {
    /// Which way sound goes.
    public enum Direction: String, CaseIterable, Sendable {
        /// From a microphone.
        case capture
        /// To a loudspeaker.
        case playback
    }

    /// What programs call it, such as `default` or `plughw:CARD=PCH,DEV=0`.
    public let name: String
    /// What it is, in words of the driver or of the user's configuration; may be empty.
    public let summary: String
    /// Which ways it may be used. A sound server is listed with both, whatever hangs on it.
    public let directions: Set<Direction>
    /// For which ways it is what ``defaultName(for:)`` finds.
    public let defaultFor: Set<Direction>

    /// Names tried for a user who names none: the configured default, then the sound servers.
    static let defaultCandidates = ["default", "pulse", "pipewire"]
    /// Configured names that are no devices but building blocks: converters, mixers, bridges and speaker layouts.
    static let omitted: Set<String> = [
        "lavrate", "samplerate", "speexrate", "speex", "upmix", "vdownmix", "jack", "oss", "usbstream", "dmix",
        "dsnoop",
        "surround21", "surround40", "surround41", "surround50", "surround51", "surround71",
    ]

    /// Every device this user can name, the defaults first, else in the sound library's order.
    public static func all() -> [AudioDevice] {
        let defaults = Direction.allCases.map { ($0, defaultName(for: $0)) }
        let devices = hints().map { hint in
            AudioDevice(
                name: hint.name, summary: hint.summary, directions: hint.directions,
                defaultFor: Set(defaults.filter { $0.1 == hint.name }.map(\.0)))
        }
        return devices.filter { !$0.defaultFor.isEmpty } + devices.filter(\.defaultFor.isEmpty)
    }

    /// The device that stands for "the microphone" or "the loudspeaker"; `nil` where there is none.
    public static func defaultName(for direction: Direction) -> String? {
        defaultCandidates.first { name in
            do throws(DeviceError) {
                try check(name, for: direction)
                return true
            } catch { return error == .busy }
        }
    }

    /// Tells whether a device can be used right now by opening it for a moment.
    /// - Throws: Why it cannot.
    public static func check(_ name: String, for direction: Direction) throws(DeviceError) {
        _ = try PCM(name, direction)
    }

    private static func hints() -> [Hint] {
        PCM.hush()
        var list: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
        // The library fills in a list that ends in nil, which is freed below.
        guard unsafe snd_device_name_hint(-1, "pcm", &list) == 0, let list = unsafe list else { return [] }
        defer { _ = unsafe snd_device_name_free_hint(list) }
        var hints: [Hint] = []
        var index = 0
        while let entry = unsafe list[index] {
            if let hint = unsafe Hint(entry), !omitted.contains(hint.kind),
                !hints.contains(where: { $0.name == hint.name })
            {
                hints.append(hint)
            }
            index += 1
        }
        return hints
    }
}

/// One entry of the sound library's list of names.
private struct Hint {
    let name: String
    let summary: String
    let directions: Set<AudioDevice.Direction>

    /// The name without its arguments.
    var kind: String { String(name.prefix { $0 != ":" }) }

    init?(_ entry: UnsafeMutableRawPointer) {
        // The entry is the library's, alive until its list is freed.
        guard let name = unsafe Self.text("NAME", of: entry), !name.isEmpty else { return nil }
        self.name = name
        summary = (unsafe Self.text("DESC", of: entry) ?? "").split(separator: "\n").joined(separator: ", ")
        // The library names a direction only where there is just one.
        switch unsafe Self.text("IOID", of: entry) {
        case "Input": directions = [.capture]
        case "Output": directions = [.playback]
        default: directions = [.capture, .playback]
        }
    }

    private static func text(_ field: String, of entry: UnsafeMutableRawPointer) -> String? {
        // The library returns a string of ours to free, or nil.
        guard let text = unsafe snd_device_name_get_hint(entry, field) else { return nil }
        defer { unsafe free(text) }
        return unsafe String(cString: text)
    }
}
