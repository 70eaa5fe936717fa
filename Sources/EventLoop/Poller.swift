internal import CLinux
internal import Glibc
internal import SansIO

/// An epoll instance and the handlers of what it watches.
///
/// Each registration has a number that is never used twice, so an event that was fetched before its descriptor was closed
/// finds no handler, even if the kernel gave the descriptor's number to somebody else meanwhile.
@safe
struct Poller: ~Copyable {
    typealias Handler = (EventLoop.Readiness) -> Void

    /// The registration number of the loop's own event descriptor.
    static let bell: UInt64 = 0

    private let epoll: Descriptor
    private let capacity: Int
    private let events: UnsafeMutablePointer<epoll_event>
    private var lastNumber: UInt64 = 0
    private var isPrecise = true
    /// Handlers by registration number.
    private(set) var handlers: [UInt64: Handler] = [:]

    init(capacity: Int) throws(Errno) {
        precondition(capacity > 0, "a turn must serve at least one event")
        epoll = try Descriptor(checking: epoll_create1(Int32(EPOLL_CLOEXEC)))
        self.capacity = capacity
        // Freed once, in `deinit`; the kernel writes at most `capacity` entries.
        unsafe events = .allocate(capacity: capacity)
        unsafe events.initialize(repeating: epoll_event(), count: capacity)
    }

    deinit { unsafe events.deallocate() }

    mutating func add(_ descriptor: borrowing Descriptor, for interest: EventLoop.Interest, as number: UInt64)
        throws(Errno)
    {
        try control(EPOLL_CTL_ADD, descriptor.rawValue, interest, number)
    }

    mutating func add(
        _ descriptor: borrowing Descriptor, for interest: EventLoop.Interest, handler: @escaping Handler
    ) throws(Errno) -> EventLoop.Registration {
        let number = lastNumber + 1
        try control(EPOLL_CTL_ADD, descriptor.rawValue, interest, number)
        lastNumber = number
        handlers[number] = handler
        return EventLoop.Registration(number: number, descriptor: descriptor.rawValue)
    }

    func update(_ registration: EventLoop.Registration, for interest: EventLoop.Interest) throws(Errno) {
        guard handlers[registration.number] != nil else { throw .badDescriptor }
        try control(EPOLL_CTL_MOD, registration.descriptor, interest, registration.number)
    }

    /// Stops watching; returns the handler, which the caller lets go when the poller is free again.
    mutating func remove(_ registration: EventLoop.Registration) -> Handler? {
        guard let handler = handlers.removeValue(forKey: registration.number) else { return nil }
        try? control(EPOLL_CTL_DEL, registration.descriptor, [], 0)
        return handler
    }

    /// Forgets a registration whose descriptor was closed already, which made the kernel forget it.
    mutating func forget(_ registration: EventLoop.Registration) -> Handler? {
        handlers.removeValue(forKey: registration.number)
    }

    mutating func takeHandlers() -> [UInt64: Handler] {
        defer { handlers = [:] }
        return handlers
    }

    /// Waits for events or until `patience` is over; returns how many came.
    mutating func wait(for patience: Duration) -> Int {
        let nanoseconds = patience.nanoseconds
        if isPrecise {
            var timeout = timespec(
                tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
            // `events` holds `capacity` entries; the kernel reads `timeout` during the call.
            let count = unsafe epoll_pwait2(epoll.rawValue, events, Int32(capacity), &timeout, nil)
            if count >= 0 { return Int(count) }
            guard errno == ENOSYS || errno == EPERM else { return 0 }
            isPrecise = false
        }
        // Older kernels and sandboxes: whole milliseconds, rounded up so that no timer is early.
        let milliseconds = (nanoseconds + 999_999) / 1_000_000
        return Int(max(unsafe epoll_wait(epoll.rawValue, events, Int32(capacity), Int32(clamping: milliseconds)), 0))
    }

    /// One of the events the last wait fetched.
    func event(_ index: Int) -> (number: UInt64, readiness: EventLoop.Readiness) {
        precondition((0..<capacity).contains(index), "no such event")
        // The index was checked, and every entry was initialised.
        let event = unsafe events[index]
        return unsafe (event.data.u64, EventLoop.Readiness(epoll: event.events))
    }

    private func control(
        _ operation: Int32, _ descriptor: Int32, _ interest: EventLoop.Interest, _ number: UInt64
    ) throws(Errno) {
        var event = unsafe epoll_event()
        unsafe event.events = interest.epoll
        unsafe event.data.u64 = number
        // The kernel copies `event` during the call.
        guard unsafe epoll_ctl(epoll.rawValue, operation, descriptor, &event) == 0 else { throw .last }
    }
}
