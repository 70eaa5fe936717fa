internal import Digests
internal import SansIO

/// Makes and checks the tokens that bind a write to the endpoint that asked before (`SHA-256(secret | IP | port)`).
///
/// Tokens of the current and the previous secret are valid.
struct TokenMint: Sendable {
    private static let secretLength = 8
    private var current: [UInt8]
    private var previous: [UInt8]

    init(random: inout RandomSource) {
        current = random.bytes(Self.secretLength)
        previous = random.bytes(Self.secretLength)
    }

    /// Draws a new secret; the one before the last stops being valid.
    mutating func rotate(random: inout RandomSource) {
        previous = current
        current = random.bytes(Self.secretLength)
    }

    /// The token for `endpoint`.
    func token(for endpoint: Endpoint) -> [UInt8] { Self.token(for: endpoint, secret: current) }

    /// Whether `token` was made for `endpoint` with one of the two secrets.
    func isValid(_ token: [UInt8], from endpoint: Endpoint) -> Bool {
        guard !token.isEmpty else { return false }
        return token == Self.token(for: endpoint, secret: current)
            || token == Self.token(for: endpoint, secret: previous)
    }

    private static func token(for endpoint: Endpoint, secret: [UInt8]) -> [UInt8] {
        var writer = ByteWriter(appendingTo: secret)
        writer.write(endpoint.address.bytes)
        writer.write(endpoint.port)
        return Hash.sha256(writer.bytes)
    }
}
