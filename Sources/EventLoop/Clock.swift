internal import Glibc
public import SansIO

extension EventLoop {
    /// The time now, on the kernel's boot clock (`CLOCK_BOOTTIME`), which counts while the machine sleeps and is the same
    /// for all processes of a machine.
    public static var now: Instant { Instant(nanoseconds: read(CLOCK_BOOTTIME)) }

    /// The time now; the same for every loop.
    public var now: Instant { Self.now }

    /// Where ``now`` lies in civil time, as the system clock has it at the moment of the call.
    public var wallClock: WallClock {
        WallClock(epochOffset: Self.read(CLOCK_REALTIME) - Self.read(CLOCK_BOOTTIME))
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        // The kernel fills in `time`; both clocks exist on every Linux this runs on.
        unsafe clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
