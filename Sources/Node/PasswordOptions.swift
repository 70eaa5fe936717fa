import ArgumentParser
import Foundation
import SecureChannel

/// Where a password comes from: never from the command line itself, which others can see.
struct PasswordOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A file whose first line is the password.", valueName: "file"))
    var passwordFile: String?

    @Flag(help: "Read the password from the first line of standard input.")
    var passwordStdin = false

    /// Longest password, in bytes.
    private static let limit = 4_096

    func validate() throws {
        guard passwordFile == nil || !passwordStdin else {
            throw ValidationError("--password-file and --password-stdin exclude each other.")
        }
    }

    /// The password the options name, or `nil` where they name none.
    func password() throws -> String? {
        if let passwordFile { return try Self.password(from: passwordFile) }
        return passwordStdin ? try Self.firstLine(of: Self.standardInput(), from: "standard input") : nil
    }

    /// The first line of a file.
    static func password(from path: String) throws -> String {
        let bytes: [UInt8]
        do { bytes = try PrivateFile.read(path, isSecret: false, limit: limit) } catch {
            throw Failure(file: path, error)
        }
        return try firstLine(of: bytes, from: path)
    }

    /// Reads no further than the first line, as whoever writes may not end there.
    private static func standardInput() -> [UInt8] {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        // The variable lives across the call.
        while bytes.count < limit, unsafe read(STDIN_FILENO, &byte, 1) == 1, byte != UInt8(ascii: "\n") {
            bytes.append(byte)
        }
        return bytes
    }

    private static func firstLine(of bytes: [UInt8], from source: String) throws -> String {
        var line = bytes.prefix { $0 != UInt8(ascii: "\n") }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        guard !line.isEmpty, let password = String(validating: line, as: UTF8.self) else {
            throw Failure(.usage, "\(source) does not begin with a password")
        }
        return password
    }
}
