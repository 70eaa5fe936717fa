/// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed 64-bit code for short messages that come often.
///
/// Whoever does not know the key can neither predict nor forge it; it is no substitute for a longer code where many
/// guesses can be made unseen.
public struct SipHash: Sendable {
    private let key: (UInt64, UInt64)

    /// Uses a random key of 128 bits.
    public init(key first: UInt64, _ second: UInt64) { key = (first, second) }

    /// The code of a message of whole 64-bit words; as bytes, each word has its least significant first.
    public func code(_ first: UInt64, _ second: UInt64, _ third: UInt64) -> UInt64 {
        var state = State(key)
        state.absorb(first)
        state.absorb(second)
        state.absorb(third)
        return state.finish(byteCount: 24)
    }

    /// The code of a message of one 64-bit word.
    public func code(_ word: UInt64) -> UInt64 {
        var state = State(key)
        state.absorb(word)
        return state.finish(byteCount: 8)
    }
}

extension SipHash {
    private struct State {
        var (v0, v1, v2, v3): (UInt64, UInt64, UInt64, UInt64)

        init(_ key: (UInt64, UInt64)) {
            v0 = key.0 ^ 0x736F_6D65_7073_6575
            v1 = key.1 ^ 0x646F_7261_6E64_6F6D
            v2 = key.0 ^ 0x6C79_6765_6E65_7261
            v3 = key.1 ^ 0x7465_6462_7974_6573
        }

        mutating func absorb(_ word: UInt64) {
            v3 ^= word
            for _ in 0..<2 { mix() }
            v0 ^= word
        }

        mutating func finish(byteCount: UInt64) -> UInt64 {
            absorb(byteCount << 56)
            v2 ^= 0xFF
            for _ in 0..<4 { mix() }
            return v0 ^ v1 ^ v2 ^ v3
        }

        private mutating func mix() {
            v0 &+= v1
            v2 &+= v3
            v1 = rotate(v1, 13) ^ v0
            v3 = rotate(v3, 16) ^ v2
            v0 = rotate(v0, 32)
            v2 &+= v1
            v0 &+= v3
            v1 = rotate(v1, 17) ^ v2
            v3 = rotate(v3, 21) ^ v0
            v2 = rotate(v2, 32)
        }

        private func rotate(_ word: UInt64, _ bits: UInt64) -> UInt64 { word << bits | word >> (64 - bits) }
    }
}
