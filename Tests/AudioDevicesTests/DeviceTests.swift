import Foundation
import Testing

@testable import AudioDevices

/// What needs the sound library, but no hardware: its `null` device exists everywhere.
@Suite("Devices", .serialized, .timeLimit(.minutes(20)))
struct DeviceTests {
    @Test("the null device is listed for both ways, no building block is, and no name is twice")
    func list() {
        let devices = AudioDevice.all()
        #expect(devices.first { $0.name == "null" }?.directions == [.capture, .playback])
        for name in ["samplerate", "speexrate", "upmix", "jack"] { #expect(!devices.contains { $0.name == name }) }
        #expect(Set(devices.map(\.name)).count == devices.count)
        #expect(devices.allSatisfy { !$0.summary.contains("\n") })
    }

    @Test("what is listed as default can be opened", arguments: AudioDevice.Direction.allCases)
    func defaults(direction: AudioDevice.Direction) throws {
        guard let name = AudioDevice.defaultName(for: direction) else { return }
        do { try AudioDevice.check(name, for: direction) } catch { #expect(error == .busy) }
    }

    @Test(
        "a name nobody has is not found", arguments: ["", "nonsense", "hw:99", "plug:\"", "null\"", "\u{1}\u{FF}"],
        AudioDevice.Direction.allCases)
    func unknown(name: String, direction: AudioDevice.Direction) throws {
        #expect(throws: DeviceError.self) { try AudioDevice.check(name, for: direction) }
    }

    @Test("the null device opens for both ways", arguments: AudioDevice.Direction.allCases)
    func null(direction: AudioDevice.Direction) throws {
        try AudioDevice.check("null", for: direction)
        try AudioDevice.check("plug:null", for: direction)
    }

    @Test("a microphone without sound gives silence in real time, and ends when it is closed")
    func capture() async throws {
        let capture = Capture(device: "null")
        #expect(capture.nextBlock() == [Int16](repeating: 0, count: 960))
        capture.start()
        capture.start()
        var events = capture.events.makeAsyncIterator()
        #expect(await events.next() == .opened)
        try await Task.sleep(for: .milliseconds(400))
        #expect(capture.nextBlock() == [Int16](repeating: 0, count: 960))
        #expect(capture.statistics.losses == 0)
        capture.close()
        #expect(await events.next() == nil)
    }

    @Test("a device that has no clock is held to that of the machine")
    func pace() {
        let clock = ContinuousClock()
        let time = clock.measure {
            var pace = Pace(slack: 960)
            for _ in 0..<30 { pace.moved(960) }
        }
        // Thirty blocks of 20 ms, less the one in the device and a tenth of a second.
        #expect(time >= .milliseconds(470))
    }

    @Test("a loudspeaker opens, takes blocks, and closes")
    func playback() async throws {
        let playback = Playback(device: "null")
        playback.start()
        var events = playback.events.makeAsyncIterator()
        #expect(await events.next() == .opened)
        for _ in 0..<10 { playback.play([Int16](repeating: 1, count: 960)) }
        #expect(playback.statistics.losses == 0)
        playback.close()
        #expect(await events.next() == nil)
    }

    @Test("a device that is not there is told once, and tried until it is closed")
    func lost() async throws {
        let capture = Capture(device: "nonsense")
        capture.start()
        var events = capture.events.makeAsyncIterator()
        #expect(await events.next() == .lost(.notFound))
        try await Task.sleep(for: .milliseconds(1_200))
        #expect(capture.statistics.losses == 1)
        #expect(capture.nextBlock() == [Int16](repeating: 0, count: 960))
        capture.close()
        #expect(await events.next() == nil)
    }

    @Test("closed before it was started, it never opens")
    func closedFirst() async {
        let playback = Playback(device: "null")
        playback.close()
        playback.start()
        var events = playback.events.makeAsyncIterator()
        #expect(await events.next() == nil)
    }
}
