/// A microphone: blocks of 960 samples (20 ms at 48 kHz, mono) whenever the call wants one, as in
/// `Audio(input: .blocks { capture.nextBlock() })`.
///
/// All members may be used from any thread. The device is opened by ``start()`` on a thread of its own, which tries again
/// each second while it cannot be used, and closed by ``close()`` or with the last reference.
public final class Capture: Sendable {
    /// Samples in a block.
    public static let blockLength = 960

    private let thread: DeviceThread

    /// What happens to the device, for one reader; ends when the device was closed.
    public var events: AsyncStream<DeviceEvent> { thread.events }

    /// Names a device, and leaves it alone so far.
    public init(device: String) { thread = DeviceThread(device, .capture) }

    deinit { thread.close() }

    /// Opens the device; once is enough.
    public func start() { thread.start() }

    /// The next block; silence while the device has none. Never blocks.
    public func nextBlock() -> [Int16] { thread.read(Self.blockLength) }

    /// How the device did so far.
    public var statistics: DeviceStatistics { thread.statistics }

    /// Closes the device soon, for good; ``events`` end when it is closed.
    public func close() { thread.close() }
}
