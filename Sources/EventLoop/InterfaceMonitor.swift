internal import CLinux
internal import Glibc
internal import SansIO

/// Tells when this machine's links or addresses may have changed. Loop thread only.
public final class InterfaceMonitor {
    /// How long changes are gathered before they are told: an address comes in several steps.
    public static let settlingTime = Duration.milliseconds(500)

    private let loop: EventLoop
    private let news: Descriptor
    private var registration: EventLoop.Registration?
    private let alarm: Alarm

    /// Begins to watch; `changed` is called on the loop, once for everything that changed within ``settlingTime``.
    public init(on loop: EventLoop, changed: @escaping () -> Void) throws(Errno) {
        self.loop = loop
        news = try Descriptor(checking: clinux_open_link_news())
        alarm = Alarm(on: loop, changed)
        registration = try news.register(on: loop, for: .readable) { [weak self] _ in self?.read() }
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
}
