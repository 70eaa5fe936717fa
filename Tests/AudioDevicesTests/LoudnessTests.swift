import AudioDevices
import Foundation
import Testing

@Suite("Levels")
struct LevelTests {
    private func sine(_ amplitude: Double) -> [Int16] {
        (0..<4_800).map { Int16((amplitude * sin(2 * .pi * 1_000 * Double($0) / 48_000)).rounded()) }
    }

    @Test(
        "a sine of full scale is 0 dBFS, each halving 6.02 dB less",
        arguments: [(32_767.0, 0.0), (16_384, -6.02), (328, -40)])
    func sines(amplitude: Double, decibel: Double) throws {
        let meter = LevelMeter()
        meter.add(sine(amplitude))
        #expect(abs(try #require(meter.take()) - decibel) < 0.05)
    }

    @Test("silence is the floor, nothing is nothing, and each question begins anew")
    func edges() {
        let meter = LevelMeter()
        #expect(meter.take() == nil)
        meter.add([])
        #expect(meter.take() == nil)
        meter.add([Int16](repeating: 0, count: 960))
        #expect(meter.take() == LevelMeter.floor)
        meter.add([Int16](repeating: .min, count: 960))
        #expect(abs((meter.take() ?? 0) - 3.01) < 0.01)
        #expect(meter.take() == nil)
    }
}
