internal import SansIO

/// A few threads for work that would stall the loop: private-key operations, password hashing, name resolution.
///
/// Work is a pure closure; its result comes back on the loop's thread. Jobs with the same ``Key`` run one after the other,
/// in the order they were given; others run side by side.
public final class Worker: Sendable {
    /// Limits of one pool.
    public struct Configuration: Hashable, Sendable {
        /// The threads' name; the kernel keeps 15 bytes.
        public var name = "worker"
        /// How many threads run jobs.
        public var threads = 2
        /// How many jobs may wait for a thread.
        public var queueLimit = 256

        /// The usual limits.
        public init() {}
    }

    /// Names a line of jobs that must not overlap, such as the handshake steps of one session.
    public struct Key: RawRepresentable, Hashable, Sendable {
        /// A number of the owner's choice.
        public let rawValue: UInt64

        /// Names a line.
        public init(rawValue: UInt64) { self.rawValue = rawValue }
    }

    /// Why a job did not run.
    public enum Failure: Error, Hashable, Sendable {
        /// Too many jobs waited already.
        case overloaded
        /// The pool was shut down before the job's turn.
        case cancelled
    }

    private struct Job: Sendable {
        var key: Key?
        var run: @Sendable () -> Void
        var cancel: @Sendable () -> Void
    }

    private struct State {
        var queue: [Job] = []
        var busyKeys: Set<Key> = []
        var isStopping = false
        var threads: [SystemThread] = []
    }

    private let loop: EventLoop
    private let configuration: Configuration
    private let state: Locked<State>

    /// Starts the threads. Results come back on `loop`.
    public init(for loop: EventLoop, _ configuration: Configuration = Configuration()) throws(Errno) {
        self.loop = loop
        self.configuration = configuration
        let state = Locked(State())
        self.state = state
        for _ in 0..<configuration.threads {
            do throws(Errno) {
                let thread = try SystemThread(name: configuration.name) { Self.serve(state) }
                state.with { $0.threads.append(thread) }
            } catch {
                Self.stop(state, waiting: true)
                throw error
            }
        }
    }

    deinit { Self.stop(state, waiting: false) }

    /// How many jobs wait for a thread.
    public var waiting: Int { state.with { $0.queue.count } }

    /// Runs `work` on a thread of the pool, and `completion` with its result on the loop's thread. Loop thread only.
    ///
    /// `completion` is called exactly once, and never from inside this call.
    public func run<Value: Sendable>(
        on key: Key? = nil, _ work: @escaping @Sendable () -> Value,
        completion: @escaping (Result<Value, Failure>) -> Void
    ) {
        loop.checkIsolated()
        let completion = LoopBound(completion)
        start(on: key, work) { [loop] result in loop.execute { completion.take()?(result) } }
    }

    /// Runs `work` on a thread of the pool and returns its result. Callable from any task.
    /// - Throws: `.overloaded` or `.cancelled`. Cancelling the task does not stop the work.
    public func value<Value: Sendable>(
        on key: Key? = nil, _ work: @escaping @Sendable () -> Value
    ) async throws(Failure) -> Value {
        let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
            start(on: key, work) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// Cancels the jobs that wait, lets those that run finish, and ends the threads.
    ///
    /// Completions of cancelled jobs are told so. Later jobs are cancelled at once.
    /// - Parameter waiting: Whether to return only after the running jobs have finished; needless for work that may take long.
    public func shutdown(waiting: Bool = true) { Self.stop(state, waiting: waiting) }

    private func start<Value: Sendable>(
        on key: Key?, _ work: @escaping @Sendable () -> Value,
        _ finish: @escaping @Sendable (Result<Value, Failure>) -> Void
    ) {
        let job = Job(key: key, run: { finish(.success(work())) }, cancel: { finish(.failure(.cancelled)) })
        let limit = configuration.queueLimit
        let refusal: Failure? = state.with { state in
            guard !state.isStopping else { return .cancelled }
            guard state.queue.count < limit else { return .overloaded }
            state.queue.append(job)
            return nil
        }
        if let refusal { finish(.failure(refusal)) } else { state.signalAll() }
    }

    // MARK: Threads

    private static func serve(_ state: Locked<State>) {
        while let job = nextJob(state) {
            job.run()
            guard let key = job.key else { continue }
            state.with { _ = $0.busyKeys.remove(key) }
            state.signalAll()
        }
    }

    /// Waits for the oldest job whose key is free; `nil` when the pool ends.
    private static func nextJob(_ state: Locked<State>) -> Job? {
        state.wait { state -> Job?? in
            if state.isStopping { return .some(nil) }
            guard
                let index = state.queue.firstIndex(where: { job in
                    job.key.map { !state.busyKeys.contains($0) } ?? true
                })
            else { return nil }
            let job = state.queue.remove(at: index)
            if let key = job.key { state.busyKeys.insert(key) }
            return .some(job)
        }
    }

    private static func stop(_ state: Locked<State>, waiting: Bool) {
        let (cancelled, threads) = state.with { state in
            state.isStopping = true
            defer { (state.queue, state.threads) = ([], []) }
            return (state.queue, state.threads)
        }
        state.signalAll()
        for job in cancelled { job.cancel() }
        for thread in threads { if waiting { thread.join() } else { thread.detach() } }
    }
}

/// A value that belongs to the loop's thread and travels through others unread.
final class LoopBound<Value>: @unchecked Sendable {
    // Sendable because `value` is set before the box travels, and taken out on the loop's thread, once; the last owner of
    // the box, on whatever thread, then lets go of nothing.
    private var value: Value?

    init(_ value: Value) { self.value = value }

    func take() -> Value? {
        defer { value = nil }
        return value
    }
}
