/// Why a media operation of ours failed; what a peer sent wrong is a ``AudioSession/Refusal`` instead.
public enum MediaError: Error, Hashable, Sendable {
    /// A master key and salt have another length than the suite asks for.
    case keyLength(expected: Int, actual: Int)
    /// The text of a key is not Base64.
    case keyText
    /// The SRTP library refused a packet or a policy, with its status code.
    case protection(status: UInt32)
    /// A protected packet's authentication tag does not match.
    case authentication
    /// A packet was received before, or is older than the replay window.
    case replayed
    /// A packet is shorter than its headers, or longer than the buffer allows.
    case packetLength(Int)
    /// More sources than ``SRTPContext/sourceLimit`` sent packets.
    case tooManySources
    /// The key has protected as many packets as it may (RFC 3711 §9.2); a new one must be agreed.
    case keyExhausted
    /// The codec refused its input, with its status code.
    case codec(status: Int32)
    /// A block of samples has another length than the operation takes.
    case blockLength(expected: Int, actual: Int)
}
