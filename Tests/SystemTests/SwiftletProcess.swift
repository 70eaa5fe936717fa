import Foundation

/// A running `swiftlet`, killed when nothing refers to it any more.
final class SwiftletProcess: Sendable {
    private let record = ProcessRecord()
    let pid: pid_t

    /// The program beside the running test.
    static let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        .appending(path: "swiftlet")

    /// Starts `swiftlet` with these arguments, and nothing to read on standard input unless told.
    init(_ arguments: [String], input: FileHandle = .nullDevice) throws {
        let process = Process()
        let (output, errors) = (Pipe(), Pipe())
        process.executableURL = Self.program
        process.arguments = arguments
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors
        process.terminationHandler = { [record] process in
            let isSignal = process.terminationReason == .uncaughtSignal
            let status = process.terminationStatus
            record.update { $0.status = isSignal ? -status : status }
        }
        try process.run()
        pid = process.processIdentifier
        Self.read(output, into: record) { state, line in
            if let event = try? JSONDecoder().decode(Event.self, from: Data(line.utf8)) {
                state.events.append(event)
            } else {
                state.lines.append(line)
            }
        }
        Self.read(errors, into: record) { $0.errorLines.append($1) }
    }

    deinit { if record.snapshot.status == nil { kill(pid, SIGKILL) } }

    private static func read(
        _ pipe: Pipe, into record: ProcessRecord,
        _ take: @escaping @Sendable (inout ProcessRecord.State, String) -> Void
    ) {
        let descriptor = dup(pipe.fileHandleForReading.fileDescriptor)
        Thread.detachNewThread {
            defer { close(descriptor) }
            var rest = Data()
            var buffer = [UInt8](repeating: 0, count: 65_536)
            // A file handle would wait until the buffer is full.
            while case let count = Foundation.read(descriptor, &buffer, buffer.count), count > 0 {
                rest += buffer[..<count]
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    let line = String(decoding: rest[..<end], as: UTF8.self)
                    rest = Data(rest[rest.index(after: end)...])
                    record.update { take(&$0, line) }
                }
            }
            record.update { state in
                if !rest.isEmpty { take(&state, String(decoding: rest, as: UTF8.self)) }
                state.openStreams -= 1
            }
        }
    }

    var events: [Event] { record.snapshot.events }
    var errorLines: [String] { record.snapshot.errorLines }
    var lines: [String] { record.snapshot.lines }
    var isRunning: Bool { record.snapshot.status == nil }

    /// The first event of this name, now or later.
    @discardableResult
    func event(_ name: String, within seconds: Int = 60) async throws -> Event {
        try await record.wait(for: name, within: seconds) { $0.events.first { $0.name == name } }
    }

    /// The first event of this name for which `isWanted` holds, now or later.
    @discardableResult
    func event(_ name: String, where isWanted: @escaping @Sendable (Event) -> Bool) async throws -> Event {
        try await record.wait(for: name) { $0.events.first { $0.name == name && isWanted($0) } }
    }

    /// The process's exit code once everything it said was read; negative for the signal that ended it.
    func exitCode(within seconds: Int = 60) async throws -> Int32 {
        try await record.wait(for: "end of the process", within: seconds) { $0.isComplete ? $0.status : nil }
    }

    /// Asks the process to end, as Ctrl-C does.
    func interrupt() { kill(pid, SIGINT) }

    func kill() { kill(pid, SIGKILL) }

    private func kill(_ pid: pid_t, _ signal: Int32) { _ = Foundation.kill(pid, signal) }
}
