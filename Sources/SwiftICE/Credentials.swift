public import SansIO

/// The user name fragment and password of one side of one session (RFC 8445 §5.3).
public struct Credentials: Hashable, Sendable {
    /// The user name fragment, 4 to 256 characters of `A-Za-z0-9+/`.
    public let fragment: String
    /// The password, 4 to 256 such characters; ours have 24, RFC 8839 asks for at least 22, old peers send fewer.
    public let password: String

    /// How many characters a fragment or a password may have.
    public static let lengths = 4...256

    /// Takes credentials from outside; `nil` when a length or a character is not allowed.
    public init?(fragment: some StringProtocol, password: some StringProtocol) {
        for text in [String(fragment), String(password)] {
            guard Self.lengths.contains(text.utf8.count), text.utf8.allSatisfy(isICECharacter) else { return nil }
        }
        self.fragment = String(fragment)
        self.password = String(password)
    }

    /// Draws credentials of the form Jami uses: 8 and 24 hexadecimal digits.
    public init(random: inout RandomSource) {
        fragment = random.hexDigits(8)
        password = random.hexDigits(24)
    }
}
