/// CRC-32 as of ISO 3309 and zlib, for STUN's FINGERPRINT.
public enum CyclicRedundancyCheck {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { word, _ in word & 1 == 1 ? 0xEDB8_8320 ^ (word >> 1) : word >> 1 }
    }

    /// Returns the check value over the parts, one after the other.
    public static func crc32(_ parts: [UInt8]...) -> UInt32 {
        var word: UInt32 = 0xFFFF_FFFF
        for part in parts {
            for byte in part { word = table[Int(UInt8(truncatingIfNeeded: word) ^ byte)] ^ (word >> 8) }
        }
        return ~word
    }
}
