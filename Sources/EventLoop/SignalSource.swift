internal import CLinux
internal import Glibc

/// The write end of the pipe, where the C signal handler finds it: it can capture nothing, and may call little but `write`.
///
/// Set once, before the first handler is installed, and never changed again; the pipe lives as long as the process, so that
/// a late handler never writes into somebody else's descriptor.
nonisolated(unsafe) private var signalPipeEnd: Int32 = -1

/// Delivers signals of the process (Ctrl-C, a polite request to end) on a loop. One at a time in a process.
public final class SignalSource {
    /// A signal that can be asked for.
    public struct Signal: RawRepresentable, Hashable, Sendable {
        /// The number as the kernel has it.
        public let rawValue: Int32

        /// Wraps a signal number.
        public init(rawValue: Int32) { self.rawValue = rawValue }

        /// Ctrl-C.
        public static let interrupt = Signal(rawValue: SIGINT)
        /// A polite request to end.
        public static let terminate = Signal(rawValue: SIGTERM)
        /// The terminal is gone; by custom, a request to read the settings again.
        public static let hangUp = Signal(rawValue: SIGHUP)
        /// Free for the program's own use.
        public static let user1 = Signal(rawValue: SIGUSR1)
    }

    /// The process's signal pipe; opened once and kept.
    private final class Pipe: Sendable {
        let readEnd: Descriptor
        let writeEnd: Descriptor

        init() throws(Errno) {
            var ends: [Int32] = [-1, -1]
            // The kernel fills in two numbers.
            guard unsafe clinux_pipe2(&ends, O_CLOEXEC | O_NONBLOCK) == 0 else { throw .last }
            readEnd = Descriptor(owning: ends[0])
            writeEnd = Descriptor(owning: ends[1])
            unsafe signalPipeEnd = ends[1]
        }

        /// Reads the signals that have arrived.
        func empty(_ body: (Signal) -> Void) {
            var byte: UInt8 = 0
            // The kernel writes one byte.
            while unsafe read(readEnd.rawValue, &byte, 1) == 1 { body(Signal(rawValue: Int32(byte))) }
        }
    }

    private static let shared = Locked((pipe: Pipe?.none, isTaken: false))

    private let loop: EventLoop
    private let pipe: Pipe
    private var registration: EventLoop.Registration?
    private var previous: [(signal: Signal, action: sigaction)] = []
    private var isClosed = false

    /// Replaces what the signals do by a call of `handler` on the loop. Loop thread only.
    /// - Throws: `.busy` while another source of this process is open.
    public init(_ signals: [Signal], on loop: EventLoop, handler: @escaping (Signal) -> Void) throws(Errno) {
        loop.checkIsolated()
        self.loop = loop
        pipe = try Self.takePipe()
        pipe.empty { _ in }
        do throws(Errno) {
            registration = try loop.register(pipe.readEnd, for: .readable) { [weak self] _ in
                self?.pipe.empty { signal in
                    if self?.isClosed == false { handler(signal) }
                }
            }
            for signal in signals { try install(signal) }
        } catch {
            close()
            throw error
        }
    }

    deinit {
        guard !isClosed else { return }
        // The pipe stays open, so the kernel must be told, and that on the loop's thread.
        if let registration { loop.execute { [loop] in loop.unregister(registration) } }
        restore()
    }

    /// Gives the signals back what they did before.
    public func close() {
        guard !isClosed else { return }
        if let registration { loop.unregister(registration) }
        restore()
    }

    private func install(_ signal: Signal) throws(Errno) {
        var old = sigaction()
        // The handler calls `write` only, and preserves `errno`.
        let result = unsafe clinux_signal_action(
            signal.rawValue,
            { number in
                let error = errno
                var byte = UInt8(truncatingIfNeeded: number)
                unsafe write(signalPipeEnd, &byte, 1)
                errno = error
            }, &old)
        guard result == 0 else { throw .last }
        previous.append((signal, old))
    }

    private func restore() {
        isClosed = true
        for (signal, action) in previous {
            var action = action
            // What the kernel handed out when the handler was installed.
            _ = unsafe clinux_signal_restore(signal.rawValue, &action)
        }
        Self.shared.with { $0.isTaken = false }
    }

    private static func takePipe() throws(Errno) -> Pipe {
        let result: Result<Pipe, Errno> = shared.with { shared in
            guard !shared.isTaken else { return .failure(.busy) }
            do throws(Errno) {
                let pipe = if let pipe = shared.pipe { pipe } else { try Pipe() }
                shared = (pipe, true)
                return .success(pipe)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
