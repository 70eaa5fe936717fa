internal import SansIO

/// A domain name as DNS carries it: labels of bytes, whose ASCII letters are equal in either case (RFC 1035 §2.3.3). Small
/// letters are kept.
public struct DNSName: Hashable, Sendable {
    /// The longest label, in bytes (RFC 1035 §2.3.4).
    public static let labelLimit = 63
    /// The longest name with a length before each label and the root at its end, in bytes (RFC 1035 §2.3.4).
    public static let lengthLimit = 255

    /// The labels without the root's empty one.
    public let labels: [[UInt8]]

    /// Joins labels; `nil` where one is empty or too long, or all of them are.
    public init?(labels: [[UInt8]]) {
        guard labels.allSatisfy({ (1...Self.labelLimit).contains($0.count) }),
            labels.reduce(1, { $0 + $1.count + 1 }) <= Self.lengthLimit
        else { return nil }
        self.labels = labels.map { $0.map(Self.lowercase) }
    }

    /// Reads a name with dots between its labels, and none within them.
    public init?(_ text: some StringProtocol) {
        self.init(labels: text.split(separator: ".", omittingEmptySubsequences: false).map { Array($0.utf8) })
    }

    private static func lowercase(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }

    /// The name without compression.
    var bytes: [UInt8] { labels.flatMap { [UInt8($0.count)] + $0 } + [0] }

    /// Reads a name that begins at `offset`, and moves `offset` behind it; labels may lie earlier in the message
    /// (RFC 1035 §4.1.4). Each pointer must lead further back than the one before, so that none leads in circles.
    init(in message: [UInt8], at offset: inout Int) throws(WireError) {
        var labels: [[UInt8]] = []
        var length = 1
        var (place, barrier) = (offset, offset)
        var hasJumped = false
        while true {
            guard place < message.count else { throw .truncated(at: place) }
            let count = Int(message[place])
            switch count >> 6 {
            case 0 where count == 0:
                if !hasJumped { offset = place + 1 }
                guard let name = DNSName(labels: labels) else { throw .malformed(.domainName, at: offset) }
                self = name
                return
            case 0:
                guard place + 1 + count <= message.count else { throw .truncated(at: message.count) }
                length += count + 1
                guard length <= Self.lengthLimit else { throw .overLimit(.domainName, limit: Self.lengthLimit) }
                labels.append(Array(message[place + 1...place + count]))
                place += count + 1
            case 3:
                guard place + 1 < message.count else { throw .truncated(at: message.count) }
                let target = (count & 0x3F) << 8 | Int(message[place + 1])
                if !hasJumped { offset = place + 2 }
                guard target < barrier else { throw .malformed(.domainName, at: place) }
                (place, barrier, hasJumped) = (target, target, true)
            default: throw .malformed(.domainName, at: place)
            }
        }
    }
}

extension WireError.Field {
    static let domainName: Self = "domain name"
    static let recordData: Self = "resource record data"
    static let records: Self = "resource records"
}
