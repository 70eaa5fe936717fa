public import SansIO

/// The timers of a loop: a heap of deadlines, and what each does.
struct LoopTimers {
    private var table = TimerTable<EventLoop.TimerToken>()
    private var actions: [EventLoop.TimerToken: () -> Void] = [:]
    private var lastNumber: UInt64 = 0

    var deadline: Instant? { table.deadline }

    mutating func add(at deadline: Instant, _ action: @escaping () -> Void) -> EventLoop.TimerToken {
        lastNumber += 1
        let token = EventLoop.TimerToken(number: lastNumber)
        table.set(token, at: deadline)
        actions[token] = action
        return token
    }

    /// Returns the action, which the caller lets go when the timers are free again.
    mutating func remove(_ token: EventLoop.TimerToken) -> (() -> Void)? {
        table.cancel(token)
        return actions.removeValue(forKey: token)
    }

    mutating func popDue(at now: Instant) -> (() -> Void)? {
        while let token = table.popDue(at: now) {
            if let action = actions.removeValue(forKey: token) { return action }
        }
        return nil
    }

    mutating func takeAll() -> [EventLoop.TimerToken: () -> Void] {
        defer { (table, actions) = (TimerTable(), [:]) }
        return actions
    }
}

extension EventLoop {
    /// A timer that was set.
    public struct TimerToken: Hashable, Sendable {
        let number: UInt64
    }

    /// Calls `action` once, in the first turn at or after `deadline`, never before. Loop thread only.
    ///
    /// Timers fire in the order of their deadlines, equal ones in the order they were set. After ``shutdown()`` nothing
    /// fires.
    @discardableResult
    public func schedule(at deadline: Instant, _ action: @escaping () -> Void) -> TimerToken {
        checkIsolated()
        return timers.add(at: deadline, action)
    }

    /// Takes a timer back; nothing happens if it fired already. Loop thread only.
    public func cancel(_ token: TimerToken) {
        checkIsolated()
        let action = timers.remove(token)
        _ = action
    }

    /// Fires the timers due now, up to `limit` with those that their actions set.
    func fireTimers(limit: Int) {
        guard timers.deadline != nil else { return }
        let now = now
        for _ in 0..<limit {
            guard let action = timers.popDue(at: now) else { return }
            action()
        }
    }
}

/// One deadline that is moved at will; what a driver needs to follow a machine's `deadline`. Loop thread only.
///
/// Deadlines mostly move away while requests are answered, so moving one away costs nothing: the timer that was set stays,
/// and sets itself again when it fires early.
public final class Alarm {
    private let loop: EventLoop
    private let action: () -> Void
    private var timer: (token: EventLoop.TimerToken, time: Instant)?

    /// When the alarm rings, or `nil` while it is not set.
    public private(set) var deadline: Instant?

    /// Creates an alarm that is not set; `action` is called each time it rings.
    public init(on loop: EventLoop, _ action: @escaping () -> Void) {
        self.loop = loop
        self.action = action
    }

    /// Moves the alarm to `deadline`, or takes it back with `nil`.
    public func set(_ deadline: Instant?) {
        self.deadline = deadline
        guard let deadline else { return stop() }
        if let timer, timer.time <= deadline { return }
        stop()
        let token = loop.schedule(at: deadline) { [weak self] in self?.fire() }
        timer = (token, deadline)
    }

    private func stop() {
        if let timer { loop.cancel(timer.token) }
        timer = nil
    }

    private func fire() {
        timer = nil
        guard let deadline else { return }
        guard deadline <= loop.now else { return set(deadline) }
        self.deadline = nil
        action()
    }
}
