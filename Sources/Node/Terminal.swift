import Foundation

/// The terminal somebody types at, where standard input is one.
enum Terminal {
    private static let interrupt: UInt8 = 0x03
    private static let endOfInput: UInt8 = 0x04
    private static let backspaces: [UInt8] = [0x08, 0x7F]
    private static let lineEnds: [UInt8] = [0x0A, 0x0D]

    static var isThere: Bool { isatty(STDIN_FILENO) == 1 }

    /// Asks for a line that is not shown; an empty line is an answer.
    ///
    /// Keys arrive one by one, Ctrl-C among them, so that the terminal's settings are put back whatever is typed.
    static func secret(_ question: String) throws -> String {
        var settings = termios()
        // The variable lives across the call.
        guard unsafe tcgetattr(STDIN_FILENO, &settings) == 0 else {
            throw Failure(.system, "the terminal cannot be asked for a password; use --password-file")
        }
        var quiet = settings
        quiet.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
        // Both variables live across the calls.
        _ = unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet)
        defer {
            _ = unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
            try? FileHandle.standardError.write(contentsOf: Data("\n".utf8))
        }
        try? FileHandle.standardError.write(contentsOf: Data("\(question): ".utf8))
        return try line()
    }

    private static func line() throws -> String {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        // The variable lives across the call.
        while unsafe read(STDIN_FILENO, &byte, 1) == 1 {
            if lineEnds.contains(byte) || byte == endOfInput { break }
            if byte == interrupt { throw Failure(.cancelled, "cancelled") }
            if backspaces.contains(byte) {
                // A character goes as a whole.
                while let last = bytes.popLast(), last & 0xC0 == 0x80 {}
            } else {
                bytes.append(byte)
            }
        }
        guard let line = String(validating: bytes, as: UTF8.self) else {
            throw Failure(.usage, "the password is no UTF-8 text")
        }
        return line
    }
}
