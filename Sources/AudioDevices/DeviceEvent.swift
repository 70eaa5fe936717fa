/// What happens to a device that is in use.
public enum DeviceEvent: Hashable, Sendable {
    /// It works; also when it came back.
    case opened
    /// It does not work; told once, then it is tried again every second, and the other side hears silence.
    case lost(DeviceError)
}

/// How a device did.
public struct DeviceStatistics: Hashable, Sendable {
    /// How many times the device itself was out of sound or full because our thread was late.
    public var interruptions = 0
    /// How many times the reading side found too few samples.
    public var underruns = 0
    /// How many times samples had to be left out as too many waited.
    public var overruns = 0
    /// How many samples were left out.
    public var skippedSamples = 0
    /// How many times the device was lost.
    public var losses = 0
    /// What the device says it delays sound by, when last asked; in samples of 48 kHz.
    public var deviceDelay = 0
    /// How many samples wait between the device and the call.
    public var waiting = 0
    /// How many samples should be left after each read.
    public var margin = 0
    /// How much faster (positive) or slower samples are read than they would be by nominal rates.
    public var correction = 0.0
}
