internal import Crypto

/// The hash functions the protocols name, over plain byte arrays.
///
/// Thin faces over swift-crypto, so that no protocol target sees its types or Foundation.
public enum Hash {
    /// SHA-1, 20 bytes: identifiers of OpenDHT and Jami; no longer collision resistant.
    public static func sha1(_ bytes: [UInt8]) -> [UInt8] { [UInt8](Insecure.SHA1.hash(data: bytes)) }

    /// SHA-256, 32 bytes.
    public static func sha256(_ bytes: [UInt8]) -> [UInt8] { [UInt8](SHA256.hash(data: bytes)) }

    /// SHA-384, 48 bytes.
    public static func sha384(_ bytes: [UInt8]) -> [UInt8] { [UInt8](SHA384.hash(data: bytes)) }

    /// SHA-512, 64 bytes.
    public static func sha512(_ bytes: [UInt8]) -> [UInt8] { [UInt8](SHA512.hash(data: bytes)) }

    /// MD5, 16 bytes: long-term keys of TURN and digest authentication; broken for anything else.
    public static func md5(_ bytes: [UInt8]) -> [UInt8] { [UInt8](Insecure.MD5.hash(data: bytes)) }
}
