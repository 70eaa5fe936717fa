internal import Digests
internal import SansIO

/// Makes and checks the tokens that bind a write to the endpoint that asked before.
///
/// A token is a keyed code of the endpoint; only its maker ever reads it, and it travels in every answer to a search, so it
/// is as short and cheap as guessing over the network allows: 64 bits. Tokens of the current and the previous secret are
/// valid.
struct TokenMint: Sendable {
    private var current: SipHash
    private var previous: SipHash

    init(random: inout RandomSource) {
        current = SipHash(key: random.next(), random.next())
        previous = SipHash(key: random.next(), random.next())
    }

    /// Draws a new secret; the one before the last stops being valid.
    mutating func rotate(random: inout RandomSource) {
        previous = current
        current = SipHash(key: random.next(), random.next())
    }

    /// The token for `endpoint`.
    func token(for endpoint: Endpoint) -> [UInt8] {
        let code = Self.code(of: endpoint, current)
        var writer = ByteWriter(capacity: 8)
        writer.write(code)
        return writer.bytes
    }

    /// Whether `token` was made for `endpoint` with one of the two secrets.
    func isValid(_ token: [UInt8], from endpoint: Endpoint) -> Bool {
        guard token.count == 8 else { return false }
        var code: UInt64 = 0
        for byte in token { code = code << 8 | UInt64(byte) }
        return code == Self.code(of: endpoint, current) || code == Self.code(of: endpoint, previous)
    }

    private static func code(of endpoint: Endpoint, _ secret: SipHash) -> UInt64 {
        switch endpoint.address {
        case .v4(let word): secret.code(4, UInt64(word), UInt64(endpoint.port))
        case .v6(let high, let low): secret.code(high, low, UInt64(endpoint.port) | 6 << 32)
        }
    }
}
