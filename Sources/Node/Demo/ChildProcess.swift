import Foundation

/// One `swiftlet` process of the demo, whose JSON events are read as they come.
final class ChildProcess: Sendable {
    /// One event line.
    struct Event: Sendable {
        let time: Double
        let name: String
        private let facts: [String: String]

        /// Reads a line; `nil` for anything but an event.
        init?(_ line: String) {
            guard let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
                let time = object["t"] as? Double, let name = object["event"] as? String
            else { return nil }
            self.time = time
            self.name = name
            facts = object.mapValues { "\($0)" }
        }

        /// A fact as text; empty when it is not there.
        subscript(_ fact: String) -> String { facts[fact] ?? "" }

        /// A fact as a number; 0 when it is none.
        func number(_ fact: String) -> Double { Double(self[fact]) ?? 0 }
    }

    let name: String
    let events: AsyncStream<Event>
    private let process: Process
    private let finished: AsyncStream<Int32>

    /// Starts this very program with other arguments; what it writes to standard error goes to the file `log`.
    init(_ name: String, _ arguments: [String], log: URL) throws {
        self.name = name
        let process = Process()
        let pipe = Pipe()
        let (events, eventsInput) = AsyncStream<Event>.makeStream()
        let (finished, finishedInput) = AsyncStream<Int32>.makeStream()
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = arguments + ["--json"]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        if !FileManager.default.fileExists(atPath: log.path) { try Data().write(to: log) }
        let logFile = try FileHandle(forWritingTo: log)
        try logFile.seekToEnd()
        process.standardError = logFile
        process.terminationHandler = { process in
            finishedInput.yield(process.terminationStatus)
            finishedInput.finish()
        }
        self.events = events
        self.finished = finished
        self.process = process
        try process.run()
        Thread.detachNewThread {
            var rest = Data()
            // Ends when the process and all it started have closed their end of the pipe.
            while true {
                let piece = pipe.fileHandleForReading.availableData
                guard !piece.isEmpty else { break }
                rest += piece
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    if let event = Event(String(decoding: rest[..<end], as: UTF8.self)) { eventsInput.yield(event) }
                    rest = Data(rest[rest.index(after: end)...])
                }
            }
            eventsInput.finish()
        }
    }

    /// Asks the process to end in order, as Ctrl-C does.
    func interrupt() { process.interrupt() }

    /// Waits for the end; returns the exit code.
    func wait() async -> Int32 {
        for await code in finished { return code }
        return process.terminationStatus
    }

    /// Ends the process at once, if it still runs.
    func kill() {
        if process.isRunning { process.terminate() }
    }
}
