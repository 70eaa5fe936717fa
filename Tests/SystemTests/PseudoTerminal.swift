import Foundation

/// A terminal without a screen: what is typed at one end, a program reads at the other.
final class PseudoTerminal: Sendable {
    private let keyboard: Int32
    /// The end a program takes for a terminal.
    let user: FileHandle

    /// Linux's own numbers (asm-generic/ioctls.h), which Swift does not see as they are macros of casts.
    private static let setLock: UInt = 0x4004_5431
    private static let getNumber: UInt = 0x8004_5430

    init?() {
        let keyboard = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)
        guard keyboard >= 0 else { return nil }
        var (lock, number): (Int32, Int32) = (0, 0)
        guard ioctl(keyboard, Self.setLock, &lock) == 0, ioctl(keyboard, Self.getNumber, &number) == 0 else {
            close(keyboard)
            return nil
        }
        let user = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard user >= 0 else {
            close(keyboard)
            return nil
        }
        self.keyboard = keyboard
        self.user = FileHandle(fileDescriptor: user, closeOnDealloc: true)
    }

    deinit { close(keyboard) }

    /// Waits until the program has turned echo off; what is typed before is lost.
    func waitUntilQuiet(within seconds: Int = 60) async throws {
        for _ in 0..<seconds * 50 {
            if !showsWhatIsTyped { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw CocoaError(.fileReadUnknown)
    }

    /// Whether echo is on.
    var showsWhatIsTyped: Bool {
        var settings = termios()
        return tcgetattr(keyboard, &settings) == 0 && settings.c_lflag & tcflag_t(ECHO) != 0
    }

    func type(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(keyboard, bytes, bytes.count)
    }

    /// What the terminal would have shown so far.
    func shown() -> String {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = read(keyboard, &buffer, buffer.count)
        return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    }
}
