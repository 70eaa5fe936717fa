public import SansIO

/// The packets of one RTCP datagram, in the clear.
///
/// Any order is read, as stock peers send single reports where RFC 3550 asks for compounds. What precedes the first
/// malformed packet is kept.
public struct RTCPDatagram: Hashable, Sendable {
    /// The packets, in order.
    public var packets: [RTCPPacket]
    /// What ended the reading early, or `nil` when the datagram was read to its end.
    public private(set) var defect: WireError?

    /// Groups packets to be sent together.
    public init(_ packets: [RTCPPacket]) { self.packets = packets }

    /// Reads a datagram; throws when not even its first packet is well-formed.
    public init(_ bytes: Span<UInt8>) throws(WireError) {
        var reader = ByteReader(bytes)
        packets = []
        repeat {
            let start = reader.offset
            do throws(WireError) {
                packets.append(try RTCPPacket.read(from: &reader))
            } catch {
                defect = error.shifted(by: start)
                break
            }
        } while !reader.isAtEnd
        if let defect, packets.isEmpty { throw defect }
    }

    /// Reads a datagram from an array.
    public init(decoding bytes: [UInt8]) throws(WireError) { try self.init(bytes.span) }

    /// Whether a datagram is RTCP rather than RTP, protected or not, by its second octet (RFC 5761 §4).
    public static func isRTCP(_ datagram: Span<UInt8>) -> Bool {
        datagram.count > 1 && (192...223).contains(datagram[1])
    }

    /// The datagram as it is sent.
    public var bytes: [UInt8] {
        var writer = ByteWriter(capacity: 128)
        for packet in packets { packet.write(to: &writer) }
        return writer.bytes
    }
}

extension WireError {
    fileprivate func shifted(by start: Int) -> WireError {
        switch self {
        case .truncated(let offset): .truncated(at: start + offset)
        case .malformed(let field, let offset): .malformed(field, at: start + offset)
        case .overLimit: self
        }
    }
}
