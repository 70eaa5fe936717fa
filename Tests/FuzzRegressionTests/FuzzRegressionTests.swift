import Foundation
import FuzzTargets
import Testing

/// Replays what the fuzzer is seeded with, and what it once found.
@Suite("Fuzz regressions")
struct FuzzRegressionTests {
    private static let fuzz = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fuzz")

    /// The files of a target in one of the two folders, in a fixed order; none where there is no folder.
    private static func inputs(_ folder: String, _ target: FuzzTarget) -> [URL] {
        let path = fuzz.appending(path: folder).appending(path: target.name)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path.path)) ?? []
        return names.filter { !$0.hasPrefix(".") }.sorted().map { path.appending(path: $0) }
    }

    private static func replay(_ target: FuzzTarget, _ bytes: [UInt8], _ name: String) {
        do throws(Finding) {
            try target.run(bytes)
        } catch {
            Issue.record("\(target.name), \(name): \(error.fact)")
        }
    }

    @Test("every input of the corpora and of past findings holds", arguments: FuzzTarget.all.map(\.name))
    func replay(_ name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        for url in ["Corpus", "Regressions"].flatMap({ Self.inputs($0, target) }) {
            Self.replay(target, [UInt8](try Data(contentsOf: url)), url.lastPathComponent)
        }
    }

    @Test("inputs cut short, and with one byte changed, hold as well", arguments: FuzzTarget.all.map(\.name))
    func mutations(_ name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        for url in Self.inputs("Corpus", target) {
            let bytes = [UInt8](try Data(contentsOf: url))
            let stride = max(1, bytes.count / 24)
            for position in Swift.stride(from: 0, to: bytes.count, by: stride) {
                Self.replay(target, Array(bytes[..<position]), "\(url.lastPathComponent) up to \(position)")
                var changed = bytes
                changed[position] ^= UInt8(truncatingIfNeeded: 1 << (position % 8))
                Self.replay(target, changed, "\(url.lastPathComponent) changed at \(position)")
            }
        }
    }

    @Test("targets have names of their own")
    func names() {
        #expect(Set(FuzzTarget.all.map(\.name)).count == FuzzTarget.all.count)
        #expect(FuzzTarget.named("no such target") == nil)
    }
}
