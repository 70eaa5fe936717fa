internal import CLinux
internal import Glibc
internal import SansIO

/// Tells when this machine has other usable addresses, or other ways out, than before. Loop thread only.
public final class InterfaceMonitor {
    /// How long changes are gathered before they are told: a route comes after its address. Short, as running calls are
    /// silent meanwhile; what comes later is told by itself.
    public static let settlingTime = Duration.milliseconds(100)

    /// Where this machine is, as far as that shows.
    private struct Place: Hashable {
        let addresses: [Interfaces.Address]
        let routes: [DefaultRoute]

        /// Reads it from the kernel; `nil` where that cannot be done now.
        init?() {
            guard let addresses = try? Interfaces.addresses(.loopbackToo, limit: .max) else { return nil }
            self.addresses = addresses
            routes = DefaultRoute.readAll()
        }
    }

    private let loop: EventLoop
    private let changed: () -> Void
    private let news: Descriptor
    private var registration: EventLoop.Registration?
    private var place: Place?
    private lazy var alarm = Alarm(on: loop) { [weak self] in self?.look() }

    /// Begins to watch; `changed` is called on the loop, once for everything that changed within ``settlingTime``.
    public init(on loop: EventLoop, changed: @escaping () -> Void) throws(Errno) {
        self.loop = loop
        self.changed = changed
        news = try Descriptor(checking: clinux_open_link_news())
        registration = try news.register(on: loop, for: .readable) { [weak self] _ in self?.read() }
        // Whatever changes from here on is news.
        place = Place()
    }

    deinit { if let registration { loop.abandon(registration) } }

    /// Ends the watch.
    public func close() {
        alarm.set(nil)
        if let registration { loop.unregister(registration) }
        registration = nil
    }

    /// Empties the kernel's queue: that something changed is all that counts, also where the queue overflowed.
    private func read() {
        var piece = [UInt8](repeating: 0, count: 8192)
        // The kernel writes at most what `piece` holds.
        while unsafe recv(news.rawValue, &piece, piece.count, 0) > 0 || errno == ENOBUFS {}
        if alarm.deadline == nil { alarm.set(loop.now.advanced(by: Self.settlingTime)) }
    }

    /// Much of the news is of no concern, as that of a link's neighbours or of an address that was only refreshed.
    private func look() {
        let current = Place()
        guard current == nil || current != place else { return }
        place = current
        changed()
    }
}
