/// A loudspeaker: takes blocks of samples (48 kHz, mono; 960 are 20 ms) as they come from the call, as in
/// `Audio(output: .blocks { playback.play($0) })`.
///
/// All members may be used from any thread. The device is opened by ``start()`` on a thread of its own, which tries again
/// each second while it cannot be used, and closed by ``close()`` or with the last reference.
public final class Playback: Sendable {
    private let thread: DeviceThread

    /// What happens to the device, for one reader; ends when the device was closed.
    public var events: AsyncStream<DeviceEvent> { thread.events }

    /// Names a device, and leaves it alone so far.
    public init(device: String) { thread = DeviceThread(device, .playback) }

    deinit { thread.close() }

    /// Opens the device; once is enough.
    public func start() { thread.start() }

    /// Has a block played after those before it. Never blocks; what a lost device cannot play is dropped.
    public func play(_ block: [Int16]) { thread.write(block) }

    /// How the device did so far.
    public var statistics: DeviceStatistics { thread.statistics }

    /// Closes the device soon, for good; ``events`` end when it is closed.
    public func close() { thread.close() }
}
