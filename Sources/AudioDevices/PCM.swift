internal import CALSA
internal import Glibc

/// One open device of the sound library, set to 48 kHz, mono, 16 bits; it never blocks for longer than it is told.
///
/// One thread at a time. Closed when it goes out of scope.
@safe
struct PCM: ~Copyable {
    /// Samples a second.
    static let rate = 48_000
    /// How often the device should want or give sound: often, as this much lies in it at least.
    static let periodMicroseconds: UInt32 = 5_000
    /// How much sound waits in a loudspeaker: it is heard this much later, and lasts this long when we are late.
    static let playbackMicroseconds: UInt32 = 20_000
    /// How much sound a microphone keeps for us when we are late; while we are not, none waits.
    static let captureMicroseconds: UInt32 = 120_000

    /// Frames the device moves at a time.
    let period: Int
    /// Frames the device holds.
    let buffer: Int
    // Owned; closed once, in `deinit`.
    private let handle: OpaquePointer

    /// Opens a device, through the library's converters where it has another rate, format or number of channels.
    init(_ name: String, _ direction: AudioDevice.Direction) throws(DeviceError) {
        Self.hush()
        let opened: (handle: OpaquePointer, layout: calsa_layout)
        do throws(DeviceError) { unsafe opened = try Self.open(name, direction) } catch {
            guard error == .unsupportedFormat, !name.contains("\"") else { throw error }
            unsafe opened = try Self.open("plug:\"\(name)\"", direction)
        }
        unsafe handle = opened.handle
        period = unsafe Int(opened.layout.period)
        buffer = unsafe Int(opened.layout.buffer)
    }

    // Closing drops what was not played, so that it does not wait.
    deinit { _ = unsafe snd_pcm_close(handle) }

    /// Keeps the library from writing to standard error.
    static func hush() { calsa_hush() }

    private static func open(
        _ name: String, _ direction: AudioDevice.Direction
    ) throws(DeviceError) -> (OpaquePointer, calsa_layout) {
        var handle: OpaquePointer?
        let stream = direction == .capture ? SND_PCM_STREAM_CAPTURE : SND_PCM_STREAM_PLAYBACK
        // The name's C string lives through the call, which fills in `handle` when it returns 0.
        let result = unsafe snd_pcm_open(&handle, name, stream, Int32(SND_PCM_NONBLOCK))
        guard result == 0, let handle = unsafe handle else { throw DeviceError(code: result) }
        do throws(DeviceError) { return unsafe (handle, try set(handle, direction)) } catch {
            _ = unsafe snd_pcm_close(handle)
            throw error
        }
    }

    private static func set(
        _ handle: OpaquePointer, _ direction: AudioDevice.Direction
    ) throws(DeviceError) -> calsa_layout {
        var layout = calsa_layout()
        let wait = direction == .capture ? captureMicroseconds : playbackMicroseconds
        // The handle is open, and `layout` is filled in by the call.
        let hardware = unsafe calsa_set_hardware(handle, UInt32(rate), periodMicroseconds, wait, &layout)
        guard hardware >= 0 else { throw DeviceError(code: hardware) }
        guard layout.period > 0, layout.buffer >= layout.period else { throw .unsupportedFormat }
        let start = direction == .capture ? 1 : layout.buffer / layout.period * layout.period
        let software = unsafe calsa_set_software(handle, layout.period, start)
        guard software >= 0 else { throw DeviceError(code: software) }
        return layout
    }

    /// Starts a microphone; a loudspeaker starts by itself once it is full.
    mutating func start() throws(DeviceError) { try check(unsafe snd_pcm_start(handle)) }

    /// Waits until a period can be moved, at most so many milliseconds; `false` when none can.
    mutating func wait(milliseconds: Int32) throws(DeviceError) -> Bool {
        let result = unsafe snd_pcm_wait(handle, milliseconds)
        if result < 0 { try recover(from: result) }
        return result > 0
    }

    /// How many frames can be moved without waiting.
    mutating func available() throws(DeviceError) -> Int {
        let count = unsafe snd_pcm_avail_update(handle)
        guard count < 0 else { return count }
        try recover(from: Int32(count))
        return 0
    }

    /// Takes what a microphone has, at most `limit` frames; empty when there is nothing yet.
    mutating func read(limit: Int) throws(DeviceError) -> [Int16] {
        // Zeros, as there are devices that count frames and write none.
        var samples = [Int16](repeating: 0, count: limit)
        // The call writes at most `limit` frames of one sample, and says how many.
        let result = unsafe samples.withUnsafeMutableBufferPointer { buffer in
            unsafe snd_pcm_readi(handle, buffer.baseAddress, snd_pcm_uframes_t(buffer.count))
        }
        samples.removeLast(limit - min(max(result, 0), limit))
        if result < 0, result != -Int(EAGAIN) { try recover(from: Int32(result)) }
        return samples
    }

    /// Gives a loudspeaker frames; returns how many it took.
    mutating func write(_ samples: ArraySlice<Int16>) throws(DeviceError) -> Int {
        // The call reads exactly the samples of the buffer.
        let result = unsafe samples.withUnsafeBufferPointer { buffer in
            unsafe snd_pcm_writei(handle, buffer.baseAddress, snd_pcm_uframes_t(buffer.count))
        }
        guard result < 0 else { return result }
        if result != -Int(EAGAIN) { try recover(from: Int32(result)) }
        return 0
    }

    /// How long a sample given now takes to be heard, or a sample taken now has waited; frames, 0 where it is unknown.
    mutating func delay() -> Int {
        var frames = snd_pcm_sframes_t()
        // `frames` is filled in by the call.
        return unsafe snd_pcm_delay(handle, &frames) == 0 ? max(frames, 0) : 0
    }

    /// How many times sound was interrupted as we were late, or the machine slept.
    private(set) var recoveries = 0

    /// Goes on after a late turn or a suspension; anything else is the end of the device.
    private mutating func recover(from code: Int32) throws(DeviceError) {
        guard [EPIPE, ESTRPIPE, EINTR].contains(-code) else { throw DeviceError(code: code) }
        if -code != EINTR { recoveries += 1 }
        try check(unsafe snd_pcm_recover(handle, code, 1))
        // A loudspeaker starts once it is full; what was only suspended runs already.
        let isWaiting = unsafe snd_pcm_state(handle) == SND_PCM_STATE_PREPARED
        if isWaiting, unsafe snd_pcm_stream(handle) == SND_PCM_STREAM_CAPTURE { try start() }
    }

    private func check(_ result: Int32) throws(DeviceError) {
        guard result >= 0 else { throw DeviceError(code: result) }
    }
}
