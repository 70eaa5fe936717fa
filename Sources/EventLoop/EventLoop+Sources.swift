internal import CLinux

extension EventLoop {
    /// What to wait for on a descriptor. Failure and hang-up are reported in any case.
    public struct Interest: OptionSet, Hashable, Sendable {
        /// The bits.
        public let rawValue: UInt8
        /// Creates a set from bits.
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// There is something to read or accept.
        public static let readable = Interest(rawValue: 1)
        /// There is room to write, or a connection attempt ended.
        public static let writable = Interest(rawValue: 2)
    }

    /// What a descriptor is ready for.
    public struct Readiness: OptionSet, Hashable, Sendable {
        /// The bits.
        public let rawValue: UInt8
        /// Creates a set from bits.
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// There is something to read or accept.
        public static let readable = Readiness(rawValue: 1)
        /// There is room to write, or a connection attempt ended.
        public static let writable = Readiness(rawValue: 2)
        /// Both directions are closed.
        public static let hangUp = Readiness(rawValue: 4)
        /// An error is pending.
        public static let failed = Readiness(rawValue: 8)
    }

    /// A descriptor under watch.
    public struct Registration: Hashable, Sendable {
        let number: UInt64
        let descriptor: Int32
    }

    /// Watches a descriptor and calls `handler` in each turn in which it is ready. Loop thread only.
    ///
    /// The caller keeps the descriptor open until ``unregister(_:)``, and does not keep what it owns alive by capturing it.
    /// - Throws: `.badDescriptor` after ``shutdown()``, or what the kernel says (a file cannot be watched).
    public func register(
        _ descriptor: borrowing Descriptor, for interest: Interest, handler: @escaping (Readiness) -> Void
    ) throws(Errno) -> Registration {
        checkIsolated()
        guard !isStopping else { throw .badDescriptor }
        return try poller.add(descriptor, for: interest, handler: handler)
    }

    /// Changes what is waited for. Loop thread only.
    /// - Throws: `.badDescriptor` when the registration has ended.
    public func update(_ registration: Registration, for interest: Interest) throws(Errno) {
        checkIsolated()
        try poller.update(registration, for: interest)
    }

    /// Ends a registration; its handler is not called again, not even in this turn. Loop thread only.
    public func unregister(_ registration: Registration) {
        checkIsolated()
        let handler = poller.remove(registration)
        _ = handler
    }

    /// Ends a registration whose descriptor its owner closes now, from whatever thread the owner ends on.
    func abandon(_ registration: Registration) {
        guard isCurrent else { return execute { [self] in abandon(registration) } }
        let handler = poller.forget(registration)
        _ = handler
    }
}

extension EventLoop.Interest {
    var epoll: UInt32 {
        var events: UInt32 = 0
        if contains(.readable) { events |= EPOLLIN.rawValue }
        if contains(.writable) { events |= EPOLLOUT.rawValue }
        return events
    }
}

extension EventLoop.Readiness {
    init(epoll events: UInt32) {
        self = []
        if events & EPOLLIN.rawValue != 0 { insert(.readable) }
        if events & EPOLLOUT.rawValue != 0 { insert(.writable) }
        if events & EPOLLHUP.rawValue != 0 { insert(.hangUp) }
        if events & EPOLLERR.rawValue != 0 { insert(.failed) }
    }
}

extension Descriptor {
    /// Watches the descriptor; see ``EventLoop/register(_:for:handler:)``.
    func register(
        on loop: EventLoop, for interest: EventLoop.Interest, _ handler: @escaping (EventLoop.Readiness) -> Void
    ) throws(Errno) -> EventLoop.Registration {
        try loop.register(self, for: interest, handler: handler)
    }
}
