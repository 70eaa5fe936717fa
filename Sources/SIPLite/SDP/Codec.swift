/// A coding of media, as a description names it (`rtpmap`, `fmtp`).
public struct Codec: Hashable, Sendable {
    /// The RTP payload type, 0 to 127, as the receiver of the packets declared it.
    public var payloadType: UInt8
    /// The encoding's name; compare with ``isSame(as:)``, which ignores case.
    public var name: String
    /// The rate of RTP time stamps, in hertz.
    public var clockRate: UInt32
    /// The number of channels; 1 where the description is silent.
    public var channels: Int
    /// The `fmtp` parameters, unread.
    public var parameters: String?

    /// Names a codec.
    public init(payloadType: UInt8, name: String, clockRate: UInt32, channels: Int = 1, parameters: String? = nil) {
        self.payloadType = payloadType
        self.name = name
        self.clockRate = clockRate
        self.channels = channels
        self.parameters = parameters
    }

    /// Opus as Jami numbers it.
    public static let opus = Codec(payloadType: 104, name: "opus", clockRate: 48_000, channels: 2)
    /// G.722, whose clock says 8000 although it samples at 16000 (RFC 3551 §4.5.2).
    public static let g722 = Codec(payloadType: 9, name: "G722", clockRate: 8_000)
    /// G.711 A-law.
    public static let pcma = Codec(payloadType: 8, name: "PCMA", clockRate: 8_000)
    /// G.711 µ-law.
    public static let pcmu = Codec(payloadType: 0, name: "PCMU", clockRate: 8_000)
    /// Digits as events (RFC 4733).
    public static let telephoneEvent = Codec(
        payloadType: 101, name: "telephone-event", clockRate: 8_000, parameters: "0-15")

    /// Whether two codecs are the same whatever their numbers: name without case, and clock.
    public func isSame(as other: Codec) -> Bool {
        clockRate == other.clockRate && name.lowercased() == other.name.lowercased()
    }

    /// Whether the codec carries events instead of sound, and so cannot be a medium's only one.
    public var isEvents: Bool { name.lowercased() == "telephone-event" }

    /// Reads the value of an `rtpmap` attribute.
    init?(map value: String) {
        let words = value.split(separator: " ", omittingEmptySubsequences: true)
        guard words.count >= 2, let number = UInt8(words[0]), number < 128 else { return nil }
        let parts = words[1].split(separator: "/", omittingEmptySubsequences: false)
        guard (2...3).contains(parts.count), !parts[0].isEmpty, let rate = UInt32(parts[1]), rate > 0 else {
            return nil
        }
        let channels = parts.count == 3 ? Int(parts[2]) ?? 1 : 1
        self.init(payloadType: number, name: String(parts[0]), clockRate: rate, channels: max(1, min(channels, 255)))
    }

    /// The codec a payload type stands for without any `rtpmap` (RFC 3551 §6).
    init?(staticType number: UInt8) {
        switch number {
        case 0: self = .pcmu
        case 3: self.init(payloadType: 3, name: "GSM", clockRate: 8_000)
        case 4: self.init(payloadType: 4, name: "G723", clockRate: 8_000)
        case 8: self = .pcma
        case 9: self = .g722
        case 10: self.init(payloadType: 10, name: "L16", clockRate: 44_100, channels: 2)
        case 11: self.init(payloadType: 11, name: "L16", clockRate: 44_100)
        case 18: self.init(payloadType: 18, name: "G729", clockRate: 8_000)
        case 26: self.init(payloadType: 26, name: "JPEG", clockRate: 90_000)
        case 31: self.init(payloadType: 31, name: "H261", clockRate: 90_000)
        case 32: self.init(payloadType: 32, name: "MPV", clockRate: 90_000)
        case 34: self.init(payloadType: 34, name: "H263", clockRate: 90_000)
        default: return nil
        }
    }

    /// The value of the `rtpmap` attribute.
    var map: String {
        channels > 1 ? "\(payloadType) \(name)/\(clockRate)/\(channels)" : "\(payloadType) \(name)/\(clockRate)"
    }
}
