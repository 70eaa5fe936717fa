import AudioFiles
import Foundation
import TestVectors
import Testing

/// A folder of its own for each test, removed afterwards.
private func withFolder(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "audio-files-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
}

/// A tone at half of full scale.
private func tone(_ frequency: Double, rate: Int, count: Int) -> [Int16] {
    (0..<count).map { Int16(16_384 * sin(2 * .pi * frequency * Double($0) / Double(rate))) }
}

/// A PCM WAV file made by hand.
private func wav(_ samples: [Int16], rate: Int, channels: Int) -> Data {
    func little(_ value: Int, _ width: Int) -> [UInt8] {
        (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    let data = samples.flatMap { little(Int($0), 2) }
    var bytes = Array("RIFF".utf8) + little(36 + data.count, 4) + Array("WAVEfmt ".utf8) + little(16, 4)
    bytes += little(1, 2) + little(channels, 2) + little(rate, 4) + little(rate * channels * 2, 4)
    bytes += little(channels * 2, 2) + little(16, 2) + Array("data".utf8) + little(data.count, 4) + data
    return Data(bytes)
}

/// The level of one frequency, relative to full scale, by correlation with it.
private func level(of frequency: Double, in samples: [Int16]) -> Double {
    var (real, imaginary) = (0.0, 0.0)
    for (index, sample) in samples.enumerated() {
        let angle = 2 * .pi * frequency * Double(index) / 48_000
        real += Double(sample) * cos(angle)
        imaginary += Double(sample) * sin(angle)
    }
    return 2 * (real * real + imaginary * imaginary).squareRoot() / Double(samples.count) / 32_768
}

@Suite struct AudioFileReaderTests {
    @Test(arguments: [8_000, 16_000, 44_100, 48_000], [1, 2])
    func readsAnyRateAndChannelCount(rate: Int, channels: Int) throws {
        try withFolder { folder in
            let mono = tone(1_004, rate: rate, count: rate)
            let file = folder.appending(path: "tone.wav")
            try wav(mono.flatMap { [Int16](repeating: $0, count: channels) }, rate: rate, channels: channels)
                .write(to: file)
            let samples = try AudioFileReader.samples(ofFileAt: file.path)
            #expect(abs(samples.count - 48_000) < 100)
            let middle = Array(samples[10_000..<38_000])
            #expect(abs(level(of: 1_004, in: middle) - 0.5) < 0.01)
            #expect(level(of: 3_000, in: middle) < 0.001)
            if rate == 48_000 { #expect(samples == mono) }
        }
    }

    @Test func mixesChannelsToTheirMean() throws {
        try withFolder { folder in
            let file = folder.appending(path: "two.wav")
            try wav([1_000, -1_000, 3_000, 1_000, 32_767, 32_767], rate: 48_000, channels: 2).write(to: file)
            #expect(try AudioFileReader.samples(ofFileAt: file.path) == [0, 2_000, 32_767])
        }
    }

    @Test func namesWhatIsWrong() throws {
        try withFolder { folder in
            #expect(throws: AudioFileError.notFound) {
                try AudioFileReader.samples(ofFileAt: folder.appending(path: "missing").path)
            }
            #expect(throws: AudioFileError.notAudio) { try AudioFileReader.samples(ofFileAt: folder.path) }
            #expect(throws: AudioFileError.notAudio) { try AudioFileReader.samples(ofFileAt: "/dev/zero") }
            let file = folder.appending(path: "file")
            try Data("no sound at all, but long enough for a header of some kind".utf8).write(to: file)
            #expect(throws: AudioFileError.notAudio) { try AudioFileReader.samples(ofFileAt: file.path) }
            try Data().write(to: file)
            #expect(throws: AudioFileError.notAudio) { try AudioFileReader.samples(ofFileAt: file.path) }
            try wav([], rate: 48_000, channels: 1).write(to: file)
            #expect(throws: AudioFileError.empty) { try AudioFileReader.samples(ofFileAt: file.path) }
            try wav(tone(440, rate: 8_000, count: 8_001), rate: 8_000, channels: 1).write(to: file)
            #expect(throws: AudioFileError.tooLong(limitSeconds: 1)) {
                try AudioFileReader.samples(ofFileAt: file.path, limitSeconds: 1)
            }
        }
    }

    /// A descriptor that is closed twice is by then the one of whoever opened next.
    @Test func refusedFilesCloseNoForeignDescriptor() async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "audio-files-\(UUID().uuidString)").path
        try Data("no sound at all, but long enough for a header of some kind".utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        async let lost = (0..<1_000).reduce(0) { lost, _ in
            let descriptors = (0..<200).map { _ in open("/dev/null", O_RDONLY | O_CLOEXEC) }
            return lost + descriptors.count { close($0) != 0 }
        }
        for _ in 0..<2_000 {
            #expect(throws: AudioFileError.notAudio) { try AudioFileReader.samples(ofFileAt: path) }
        }
        #expect(await lost == 0)
    }

    @Test func truncatedAndChangedFilesNeverTrap() throws {
        try withFolder { folder in
            let file = folder.appending(path: "mutated.wav")
            let original = wav(tone(440, rate: 16_000, count: 400), rate: 16_000, channels: 2)
            var random = Seeded(state: 5)
            for _ in 0..<300 {
                var bytes = original.prefix(Int.random(in: 0...original.count, using: &random))
                if !bytes.isEmpty {
                    bytes[Int.random(in: 0..<min(44, bytes.count), using: &random)] = .random(
                        in: 0...255, using: &random)
                }
                try Data(bytes).write(to: file)
                _ = try? AudioFileReader.samples(ofFileAt: file.path, limitSeconds: 10)
            }
        }
    }
}

/// A short linear congruential sequence, enough to spread mutations.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ state >> 33
    }
}

@Suite struct AudioFileWriterTests {
    @Test func writesWhatIsReadBack() throws {
        try withFolder { folder in
            let path = folder.appending(path: "out.wav").path
            let samples = tone(440, rate: 48_000, count: 100_000)
            let writer = try AudioFileWriter(path: path)
            for start in stride(from: 0, to: samples.count, by: 960) {
                try writer.append(Array(samples[start..<min(start + 960, samples.count)]))
            }
            try writer.close()
            try writer.close()
            #expect(writer.sampleCount == samples.count)
            #expect(try AudioFileReader.samples(ofFileAt: path) == samples)
            #expect(throws: AudioFileError.closed) { try writer.append([1]) }
        }
    }

    @Test func theFileIsReadableBeforeItIsClosed() throws {
        try withFolder { folder in
            let path = folder.appending(path: "open.wav").path
            let writer = try AudioFileWriter(path: path)
            #expect(throws: AudioFileError.empty) { try AudioFileReader.samples(ofFileAt: path) }
            for _ in 0..<125 { try writer.append(tone(440, rate: 48_000, count: 960)) }
            #expect(try AudioFileReader.samples(ofFileAt: path).count >= 96_000)
            try writer.close()
            #expect(try AudioFileReader.samples(ofFileAt: path).count == 120_000)
        }
    }

    @Test func saysWhenItCannotWrite() throws {
        try withFolder { folder in
            #expect(throws: AudioFileError.notWritable(errno: ENOENT)) {
                try AudioFileWriter(path: folder.appending(path: "no/such/folder.wav").path)
            }
            #expect(throws: AudioFileError.notWritable(errno: EISDIR)) { try AudioFileWriter(path: folder.path) }
        }
    }
}

@Suite struct ResamplerTests {
    @Test func keepsSamplesOfTheSameRate() throws {
        #expect(try Resampler.convert([1, 2, 3], from: 48_000, to: 48_000) == [1, 2, 3])
        #expect(try Resampler.convert([], from: 8_000, to: 48_000) == [])
    }

    @Test func refusesImpossibleRates() {
        #expect(throws: AudioFileError.unsupportedRate(from: 0, to: 48_000)) {
            try Resampler.convert([1], from: 0, to: 48_000)
        }
        #expect(throws: AudioFileError.unsupportedRate(from: 1_000, to: 768_000)) {
            try Resampler.convert([1], from: 1_000, to: 768_000)
        }
    }
}
