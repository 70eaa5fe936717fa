internal import CSRTP
internal import SansIO

/// Protects the packets of one direction of one media stream in place (RFC 3711, RFC 7714), over libsrtp.
///
/// An inbound context makes no state for a source before one of its packets authenticated, and refuses what was
/// received before. Packets of an outbound context must begin below sequence number 32768, so that a lost start
/// cannot cost the receiver a rollover. One thread at a time.
@safe
public final class SRTPContext {
    /// Which way the packets go.
    public enum Direction: Hashable, Sendable {
        /// We send and protect.
        case outbound
        /// We receive and check.
        case inbound
    }

    /// How many packets back a late one is still accepted.
    public static let replayWindow = 128
    /// How many sources of one inbound context may send.
    public static let sourceLimit = 32
    /// The longest packet that is processed, in bytes.
    public static let packetLimit = 65_535

    /// Room for the longest tag, index and key identifier the library may write behind a packet.
    private static let trailerRoom = 160
    private static let initialization = srtp_init()

    /// The library's session; owned, released in `deinit`.
    private let session: srtp_t
    private let direction: Direction
    private var sources: [UInt32] = []

    /// Derives the session keys from a master key.
    public init(key: SRTPKey, suite: SRTPSuite, direction: Direction) throws(MediaError) {
        let expected = suite.keyLength + suite.saltLength
        guard key.bytes.count == expected else {
            throw .keyLength(expected: expected, actual: key.bytes.count)
        }
        guard Self.initialization == srtp_err_status_ok else {
            throw .protection(status: Self.initialization.rawValue)
        }
        var policy = unsafe srtp_policy_t()
        unsafe Self.fill(&policy, for: suite, direction)
        var master = key.bytes
        var created: srtp_t?
        // The key is copied by the call; its pointer does not outlive the closure.
        let status = unsafe master.withUnsafeMutableBufferPointer { bytes in
            unsafe policy.key = bytes.baseAddress
            return unsafe srtp_create(&created, &policy)
        }
        guard status == srtp_err_status_ok, let created = unsafe created else {
            throw .protection(status: status.rawValue)
        }
        unsafe session = created
        self.direction = direction
    }

    /// Initialises the library now, and makes and drops one context, so that the first real one need not wait.
    static func prepare() {
        let suite = SRTPSuite.aes128CounterSHA1Tag80
        let zeros = [UInt8](repeating: 0, count: suite.keyLength + suite.saltLength)
        guard let key = try? SRTPKey(bytes: zeros, suite: suite) else { return }
        _ = try? SRTPContext(key: key, suite: suite, direction: .outbound)
    }

    deinit {
        // The session is ours alone and no call can be running any more.
        _ = unsafe srtp_dealloc(session)
    }

    /// Encrypts an RTP packet and appends its tag.
    public func protect(_ packet: inout [UInt8]) throws(MediaError) {
        precondition(direction == .outbound, "an inbound context cannot protect")
        try extend(&packet, minimum: RTPHeader.minimumLength, .protect)
    }

    /// Encrypts an RTCP packet and appends its index and tag.
    public func protectControl(_ packet: inout [UInt8]) throws(MediaError) {
        precondition(direction == .outbound, "an inbound context cannot protect")
        try extend(&packet, minimum: 8, .protectControl)
    }

    /// Checks and decrypts an RTP packet; when this throws the bytes are of no further use.
    public func unprotect(_ packet: inout [UInt8]) throws(MediaError) {
        precondition(direction == .inbound, "an outbound context cannot unprotect")
        try checkLength(packet, minimum: RTPHeader.minimumLength)
        let source = Self.word(packet, at: 8)
        try checkSource(source)
        try shrink(&packet, .unprotect)
        remember(source)
    }

    /// Checks and decrypts an RTCP packet; when this throws the bytes are of no further use.
    public func unprotectControl(_ packet: inout [UInt8]) throws(MediaError) {
        precondition(direction == .inbound, "an outbound context cannot unprotect")
        try checkLength(packet, minimum: 8)
        let source = Self.word(packet, at: 4)
        try checkSource(source)
        try shrink(&packet, .unprotectControl)
        remember(source)
    }

    private enum Operation {
        case protect, protectControl, unprotect, unprotectControl
    }

    /// Runs a protecting call on a packet lengthened by the room the call may need.
    private func extend(_ packet: inout [UInt8], minimum: Int, _ operation: Operation) throws(MediaError) {
        try checkLength(packet, minimum: minimum)
        let length = packet.count
        packet.append(contentsOf: repeatElement(0, count: Self.trailerRoom))
        let (status, newLength) = run(&packet, length: length, operation)
        guard status == srtp_err_status_ok else {
            packet.removeLast(Self.trailerRoom)
            throw Self.error(status)
        }
        packet.removeLast(packet.count - newLength)
    }

    private func shrink(_ packet: inout [UInt8], _ operation: Operation) throws(MediaError) {
        let (status, newLength) = run(&packet, length: packet.count, operation)
        guard status == srtp_err_status_ok else { throw Self.error(status) }
        packet.removeLast(packet.count - newLength)
    }

    private func run(
        _ packet: inout [UInt8], length: Int, _ operation: Operation
    ) -> (status: srtp_err_status_t, length: Int) {
        var newLength = Int32(length)
        // The call reads `length` bytes and writes at most `trailerRoom` behind them, which `extend` added.
        let status = unsafe packet.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return srtp_err_status_bad_param }
            return switch operation {
            case .protect: unsafe srtp_protect(session, base, &newLength)
            case .protectControl: unsafe srtp_protect_rtcp(session, base, &newLength)
            case .unprotect: unsafe srtp_unprotect(session, base, &newLength)
            case .unprotectControl: unsafe srtp_unprotect_rtcp(session, base, &newLength)
            }
        }
        return (status, min(max(Int(newLength), 0), packet.count))
    }

    private func checkLength(_ packet: [UInt8], minimum: Int) throws(MediaError) {
        guard (minimum...Self.packetLimit).contains(packet.count) else { throw .packetLength(packet.count) }
    }

    private func checkSource(_ source: UInt32) throws(MediaError) {
        guard sources.count < Self.sourceLimit || sources.contains(source) else { throw .tooManySources }
    }

    private func remember(_ source: UInt32) {
        if !sources.contains(source) { sources.append(source) }
    }

    private static func fill(_ policy: inout srtp_policy_t, for suite: SRTPSuite, _ direction: Direction) {
        // These only fill in the structures they are given.
        switch suite {
        case .aes128CounterSHA1Tag80:
            unsafe srtp_crypto_policy_set_rtp_default(&policy.rtp)
            unsafe srtp_crypto_policy_set_rtp_default(&policy.rtcp)
        case .aes128CounterSHA1Tag32:
            unsafe srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy.rtp)
            unsafe srtp_crypto_policy_set_rtp_default(&policy.rtcp)
        case .aes128GCM:
            unsafe srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp)
            unsafe srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp)
        case .aes256GCM:
            unsafe srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtp)
            unsafe srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtcp)
        }
        unsafe policy.ssrc.type = direction == .inbound ? ssrc_any_inbound : ssrc_any_outbound
        unsafe policy.window_size = UInt(replayWindow)
    }

    private static func error(_ status: srtp_err_status_t) -> MediaError {
        switch status {
        case srtp_err_status_auth_fail, srtp_err_status_cipher_fail: .authentication
        case srtp_err_status_replay_fail, srtp_err_status_replay_old: .replayed
        case srtp_err_status_key_expired: .keyExhausted
        default: .protection(status: status.rawValue)
        }
    }

    private static func word(_ bytes: [UInt8], at offset: Int) -> UInt32 {
        bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }
}
