/// Samples on their way from one clock to another.
///
/// The writer's 48 kHz and the reader's 48 kHz are never quite the same, and neither side is punctual. What is left after
/// a read, at least, within the last second is the buffer's *spare*: as long as it is near the goal, the sound is neither
/// late nor in danger. It is kept there by reading a little faster or slower, at most 0.5 %, which nobody hears.
/// Samples in between are interpolated. When samples are missing, sound fades to silence until there are enough again;
/// when far too many wait, some are left out, with a cross-fade.
struct ElasticBuffer: Sendable {
    /// How much is kept; in samples.
    struct Configuration: Hashable, Sendable {
        /// The spare aimed at for threads that are late: 5 ms.
        var margin = 240
        /// How much more is aimed at after sound was missing.
        var marginStep = 240
        /// The largest margin.
        var marginLimit = 2_880
        /// How much the margin shrinks after half a minute in which nothing was missing.
        var marginDecay = 48
        /// How much more than needed may wait before some is left out.
        var excessLimit = 1_920
        /// How much of the nominal speed the reader may be faster or slower.
        var correctionLimit = 0.005
        /// How long the spare is watched before the speed is set.
        var window = 48_000
        /// In how many windows a wrong spare is put right.
        var correctionWindows = 4
        /// A spare this close to the margin is right.
        var tolerance = 48
        /// The most samples one write may bring, and one read may take.
        var blockLimit = 9_600
    }

    /// What went otherwise than planned.
    struct Counts: Hashable, Sendable {
        /// How many times samples were missing.
        var underruns = 0
        /// How many times samples were left out.
        var overruns = 0
        /// How many samples were left out.
        var skipped = 0
    }

    /// Windows without an underrun after which the margin shrinks.
    private static let quietWindows = 30
    /// Samples over which sound sets in, and over which two places are cross-faded: 5 ms.
    private static let fade = 240
    /// Samples over which the last value falls to zero when sound stops: 2 ms.
    private static let release = 96
    /// Samples the interpolation looks at around a place: one before, three from there on.
    private static let neighbours = 4

    private let configuration: Configuration
    /// One sample that was read already, for interpolation, then those that wait.
    private var samples: [Int16] = [0]
    /// The reader's place between the second sample and the third.
    private var fraction = 0.0
    /// How far the reader moves for each sample it takes.
    private(set) var step = 1.0
    private var isFlowing = false
    private var fadedIn = 0
    /// The last value that was read, and how far it has fallen to zero since sound stopped.
    private var last = 0
    private var released = ElasticBuffer.release
    private var writes = BlockLength()
    private var reads = BlockLength()
    private var leastSpare = Int.max
    private var watched = 0
    private var quiet = 0
    /// The margin now: more than at first after samples were missing.
    private(set) var margin: Int
    private(set) var counts = Counts()

    init(_ configuration: Configuration = Configuration()) {
        self.configuration = configuration
        margin = configuration.margin
    }

    /// How many samples wait.
    var level: Int { samples.count - 1 }

    /// The spare aimed at. By blocks alone, an approaching lack of samples is not seen before it amounts to the common
    /// divisor of their lengths: where both sides move 480 samples, nothing or 480 are left, however the clocks drift.
    private var goal: Int { margin + writes.commonDivisor(with: reads) }

    /// How many must wait for sound to begin, so that the goal is met however the blocks of both sides interleave.
    private var needed: Int { margin + writes.largest + reads.largest + Self.neighbours }

    /// Adds samples; of too many, the last.
    mutating func write(_ block: [Int16]) {
        writes.note(min(block.count, configuration.blockLimit))
        samples += block[max(0, block.count - configuration.blockLimit)...]
        let excess = level - needed
        guard excess > configuration.excessLimit else { return }
        guard isFlowing else { return drop(excess) }
        counts.overruns += 1
        counts.skipped += excess
        crossFade(over: excess)
    }

    /// Takes `count` samples, silence where there are none.
    mutating func read(_ count: Int) -> [Int16] {
        let count = min(max(count, 0), configuration.blockLimit)
        // Before there is sound a device may be filled with silence in larger pieces.
        if !isFlowing { reads = BlockLength() }
        reads.note(count)
        var block: [Int16] = []
        block.reserveCapacity(count)
        guard isFlowing || begin() else {
            fallSilent(in: &block, to: count)
            return block
        }
        if step == 1, fraction == 0, fadedIn == Self.fade, count + Self.neighbours <= samples.count {
            block += samples[1..<1 + count]
        }
        var place = fraction + Double(block.count)
        while block.count < count, Int(place) + Self.neighbours <= samples.count {
            block.append(fadeIn(sample(at: place)))
            place += step
        }
        last = block.last.map(Int.init) ?? last
        if block.count < count {
            stop()
            fallSilent(in: &block, to: count)
        } else {
            drop(Int(place))
            fraction = place - place.rounded(.down)
            steer(after: count)
        }
        return block
    }

    /// Tells that the reader went away; what is written until it is back is not late.
    mutating func pause() {
        guard isFlowing else { return }
        (isFlowing, last, step) = (false, 0, 1)
    }

    // MARK: - Beginning and ending

    /// Begins when enough samples wait, with as few as are needed.
    private mutating func begin() -> Bool {
        guard level >= needed, released == Self.release else { return false }
        drop(level - needed)
        (isFlowing, fadedIn, fraction) = (true, 0, 0)
        (leastSpare, watched) = (.max, 0)
        return true
    }

    /// Begins to wait for samples, with a larger margin.
    private mutating func stop() {
        samples = [0]
        (isFlowing, released, step, quiet) = (false, 0, 1, 0)
        margin = min(margin + configuration.marginStep, configuration.marginLimit)
        counts.underruns += 1
    }

    /// Completes a block with the fall from the last value to zero, and silence.
    private mutating func fallSilent(in block: inout [Int16], to count: Int) {
        while block.count < count, released < Self.release {
            released += 1
            block.append(Int16(last * (Self.release - released) / Self.release))
        }
        block += repeatElement(0, count: count - block.count)
    }

    private mutating func fadeIn(_ sample: Int16) -> Int16 {
        guard fadedIn < Self.fade else { return sample }
        fadedIn += 1
        return Int16(Int(sample) * fadedIn / Self.fade)
    }

    // MARK: - Keeping the spare

    /// Watches what a read left, and sets the speed once a window.
    private mutating func steer(after count: Int) {
        leastSpare = min(leastSpare, max(0, samples.count - Self.neighbours))
        watched += count
        guard watched >= configuration.window else { return }
        let error = leastSpare - goal
        let speed = Double(error) / Double(configuration.window * configuration.correctionWindows)
        let limit = configuration.correctionLimit
        step = abs(error) <= configuration.tolerance ? 1 : 1 + min(max(speed, -limit), limit)
        (leastSpare, watched) = (.max, 0)
        writes.age()
        reads.age()
        quiet += 1
        guard quiet >= Self.quietWindows else { return }
        quiet = 0
        margin = max(margin - configuration.marginDecay, configuration.margin)
    }

    /// Leaves out `count` samples from where the reader is.
    private mutating func crossFade(over count: Int) {
        samples[count] = samples[0]
        let length = min(Self.fade, samples.count - 1 - count)
        for index in stride(from: 1, through: length, by: 1) {
            let (old, new) = (Int(samples[index]), Int(samples[count + index]))
            samples[count + index] = Int16((old * (length - index) + new * index) / length)
        }
        drop(count)
    }

    /// Moves the reader's place by whole samples; one stays before it.
    private mutating func drop(_ count: Int) { samples.removeFirst(min(max(count, 0), samples.count - 1)) }

    /// The value at a place: a cubic through the samples around it (Catmull-Rom), exact at whole places.
    private func sample(at place: Double) -> Int16 {
        let index = Int(place)
        let part = place - Double(index)
        guard part > 0 else { return samples[index + 1] }
        let (a, b) = (Double(samples[index]), Double(samples[index + 1]))
        let (c, d) = (Double(samples[index + 2]), Double(samples[index + 3]))
        let slope = (c - a) / 2
        let square = a - 2.5 * b + 2 * c - d / 2
        let cube = (d - a) / 2 + 1.5 * (b - c)
        let value = ((cube * part + square) * part + slope) * part + b
        return Int16(min(max(value.rounded(), -32_768), 32_767))
    }
}

/// The largest block of late, so that a single large one does not count for ever.
private struct BlockLength: Sendable {
    /// Lengths that differ by less than a millisecond are the same.
    private static let unit = 48

    private var current = 0
    private var previous = 0

    var largest: Int { max(current, previous) }

    mutating func note(_ length: Int) { current = max(current, length) }

    mutating func age() { (previous, current) = (current, 0) }

    /// The largest step, in whole milliseconds, in which the sum of blocks of both lengths can change.
    func commonDivisor(with other: BlockLength) -> Int {
        var (a, b) = ((largest + Self.unit / 2) / Self.unit, (other.largest + Self.unit / 2) / Self.unit)
        while b != 0 { (a, b) = (b, a % b) }
        return a * Self.unit
    }
}
