internal import CLinux
internal import Glibc
internal import SansIO

/// One thread that waits for descriptors, timers and jobs, and runs whatever became ready.
///
/// An actor joins the loop with `nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }`;
/// callbacks of the loop then enter the actor through `assumeIsolated`, without a hop. Whatever is marked *loop thread
/// only* checks that.
///
/// Each turn fires due timers first, then serves ready descriptors, then runs jobs, each up to a limit, so that none
/// starves another. A loop lives until ``shutdown()``, which its creator must call.
public final class EventLoop: SerialExecutor, TaskExecutor, @unchecked Sendable {
    // Sendable because `inbox` is locked, the descriptors never change, and everything else is touched by the loop's
    // thread only, which the public entry points check.

    /// Limits of one loop.
    public struct Configuration: Hashable, Sendable {
        /// The thread's name; the kernel keeps 15 bytes.
        public var name = "event-loop"
        /// How many ready descriptors one turn serves.
        public var eventsPerTurn = 64
        /// How many due timers one turn fires.
        public var timersPerTurn = 256
        /// How many jobs one turn runs.
        public var jobsPerTurn = 1024
        /// The longest uninterrupted wait. The kernel's wait stands still while the machine sleeps and ``EventLoop/now``
        /// does not, so this is how late a timer may be after resuming.
        public var longestWait = Duration.seconds(10)

        /// The usual limits.
        public init() {}
    }

    /// What is to run on the loop's thread.
    private enum Work {
        case job(UnownedJob)
        case closure(@Sendable () -> Void)
    }

    /// The part that other threads touch, under the lock.
    private struct Inbox {
        var work: [Work] = []
        /// Whether a thread runs that will look at `work` again.
        var isServed = true
        var isStopping = false
        /// Whether the event descriptor was written since the thread last looked.
        var isSignalled = false
        var thread: SystemThread?
    }

    /// Which loop the calling thread serves.
    private static let current = ThreadLocalPointer()

    private let configuration: Configuration
    private let bell: Descriptor
    private let inbox = Locked(Inbox())
    /// What the loop's thread took from the inbox or added itself.
    private var queue: [Work] = []
    var poller: Poller
    var timers = LoopTimers()
    /// Where the loop's streams read into; nobody keeps a view of it.
    let readBuffer = ReadBuffer()
    /// Memory for datagrams of any size, for all sockets of the loop that need no batch of their own. Loop thread only.
    public private(set) lazy var sharedBatch = DatagramBatch(slots: 8, slotSize: 65_535)

    /// Opens the loop's descriptors and starts its thread.
    public init(_ configuration: Configuration = Configuration()) throws(Errno) {
        self.configuration = configuration
        poller = try Poller(capacity: configuration.eventsPerTurn)
        bell = try Descriptor(checking: eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC)))
        try poller.add(bell, for: .readable, as: Poller.bell)
        let thread = try SystemThread(name: configuration.name) { [self] in serve() }
        inbox.with { $0.thread = thread }
    }

    /// Whether the caller runs on the loop's thread.
    public var isCurrent: Bool { unsafe Self.current.value == identity }

    /// Whether ``shutdown()`` was called.
    var isStopping: Bool { inbox.with { $0.isStopping } }

    private var identity: UnsafeMutableRawPointer { unsafe Unmanaged.passUnretained(self).toOpaque() }

    /// Stops the thread: jobs already handed over still run, timers and handlers are dropped, then the thread ends.
    ///
    /// Waits for the end, unless called on the loop's thread, which then ends after the current turn. Later calls do
    /// nothing. Jobs and closures that arrive afterwards run on a thread started for them, so that no task hangs; nothing
    /// can be registered or scheduled any more.
    public func shutdown() {
        let thread = inbox.with { inbox in
            inbox.isStopping = true
            defer { inbox.thread = nil }
            return inbox.thread
        }
        guard let thread else { return }
        if isCurrent { return thread.detach() }
        wake()
        thread.join()
    }

    // MARK: Work from anywhere

    /// Runs `work` on the loop's thread, after everything handed over before. Callable from any thread.
    public func execute(_ work: @escaping @Sendable () -> Void) { add(.closure(work)) }

    /// Makes the loop take a turn now. Callable from any thread.
    public func wake() {
        let isNeeded = inbox.with { inbox in
            defer { inbox.isSignalled = true }
            return inbox.isServed && !inbox.isSignalled
        }
        if isNeeded { ring() }
    }

    private func add(_ work: Work) {
        if isCurrent { return queue.append(work) }
        let (mustRing, mustStart) = inbox.with { inbox in
            inbox.work.append(work)
            defer { (inbox.isServed, inbox.isSignalled) = (true, true) }
            return (inbox.isServed && !inbox.isSignalled, !inbox.isServed)
        }
        if mustRing { ring() }
        if mustStart { serveLate() }
    }

    private func ring() {
        // The counter cannot overflow, as only one write happens between two reads.
        _ = eventfd_write(bell.rawValue, 1)
    }

    /// Serves what arrived after the loop's thread ended, on a thread of its own.
    private func serveLate() {
        do {
            try SystemThread(name: configuration.name) { [self] in serve() }.detach()
        } catch {
            // Without a thread the work waits for the next attempt.
            inbox.with { $0.isServed = false }
        }
    }

    // MARK: The thread

    private func serve() {
        unsafe Self.current.set(identity)
        _ = clinux_timerslack(1)
        while true {
            takeInbox()
            if isStopping {
                dropSources()
                if leave() { break }
                runWork(limit: .max)
            } else {
                turn()
            }
        }
        unsafe Self.current.set(nil)
    }

    /// Ends the service if nothing is left to run.
    private func leave() -> Bool {
        guard queue.isEmpty else { return false }
        return inbox.with { inbox in
            guard inbox.work.isEmpty else { return false }
            inbox.isServed = false
            return true
        }
    }

    private func turn() {
        let events = poller.wait(for: queue.isEmpty ? patience() : .zero)
        // Before timers: what came while the thread had to wait for a processor may be what a timer is about to miss.
        for index in 0..<events {
            let (source, readiness) = poller.event(index)
            guard source != Poller.bell else {
                silence()
                continue
            }
            // Looked up at the last moment: an earlier handler may have unregistered this one.
            let handler = poller.handlers[source]
            handler?(readiness)
        }
        fireTimers(limit: configuration.timersPerTurn)
        takeInbox()
        runWork(limit: configuration.jobsPerTurn)
    }

    private func patience() -> Duration {
        guard let deadline = timers.deadline else { return configuration.longestWait }
        return min(max(now.duration(to: deadline), .zero), configuration.longestWait)
    }

    private func silence() {
        var count: eventfd_t = 0
        // The kernel fills in `count`; there is nothing to read when another turn did.
        _ = unsafe eventfd_read(bell.rawValue, &count)
    }

    private func takeInbox() {
        let work = inbox.with { inbox in
            inbox.isSignalled = false
            defer { inbox.work = [] }
            return inbox.work
        }
        queue += work
    }

    /// Runs what the queue holds now, up to `limit`; what it adds waits for the next turn.
    private func runWork(limit: Int) {
        let count = min(queue.count, limit)
        for index in 0..<count {
            let work = queue[index]
            switch work {
            case .job(let job): unsafe job.runSynchronously(on: asUnownedSerialExecutor())
            case .closure(let closure): closure()
            }
        }
        queue.removeFirst(count)
    }

    private func dropSources() {
        // Moved out first: ending a handler may end the last owner of a socket, which calls back here.
        let handlers = poller.takeHandlers()
        let actions = timers.takeAll()
        _ = (handlers, actions)
    }
}

// MARK: Executor

extension EventLoop {
    /// Queues a job of an actor or task. Callable from any thread.
    public func enqueue(_ job: consuming ExecutorJob) { add(.job(UnownedJob(job))) }

    /// The executor that actors on this loop return.
    public func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        unsafe UnownedSerialExecutor(ordinary: self)
    }

    /// Stops the program unless the caller runs on the loop's thread.
    public func checkIsolated() { precondition(isCurrent, "not on the event loop's thread") }

    /// Whether the caller runs on the loop's thread.
    public func isIsolatingCurrentContext() -> Bool? { isCurrent }
}
