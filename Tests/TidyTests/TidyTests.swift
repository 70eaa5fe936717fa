import Foundation
import FuzzTargets
import Testing

@Suite("Tidiness")
struct TidyTests {
    private static let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Sources")

    /// All Swift files under `Sources`, as relative paths in a fixed order.
    private static func files() throws -> [String] {
        let all = try FileManager.default.subpathsOfDirectory(atPath: sources.path(percentEncoded: false))
        return all.filter { $0.hasSuffix(".swift") }.sorted()
    }

    @Test("no source breaks a rule")
    func sources() throws {
        let files = try Self.files()
        #expect(files.contains("SansIO/RandomSource.swift"), "the sources were not found")
        for path in files {
            let source = try String(contentsOf: Self.sources.appending(path: path), encoding: .utf8)
            for violation in Rules.check(source, at: path) { Issue.record("\(violation)") }
        }
    }

    @Test("every protocol target and every wrapper of a C module is in the rules")
    func coverage() throws {
        let targets = Set(try Self.files().map { String($0.prefix { $0 != "/" }) })
        for name in Rules.protocols { #expect(targets.contains(name) && Rules.allowedImports[name] != nil) }
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.sources.path(percentEncoded: false))
        let modules = try folders.filter { folder in
            let path = Self.sources.appending(path: folder).appending(path: "module.modulemap")
            return try FileManager.default.fileExists(atPath: path.path(percentEncoded: false))
                && !String(contentsOf: path, encoding: .utf8).isEmpty
        }
        #expect(Set(modules) == Set(Rules.wrappers.keys))
    }

    @Test("every fuzz target has a corpus, and every corpus and regression a target")
    func corpora() throws {
        let fuzz = Self.sources.deletingLastPathComponent().appending(path: "Fuzz")
        let names = Set(FuzzTarget.all.map(\.name))
        let corpora = try Self.folders(in: fuzz.appending(path: "Corpus"))
        #expect(Set(corpora) == names)
        for corpus in corpora {
            let path = fuzz.appending(path: "Corpus").appending(path: corpus).path
            #expect(try !FileManager.default.contentsOfDirectory(atPath: path).isEmpty, "\(corpus) is empty")
        }
        let regressions = (try? Self.folders(in: fuzz.appending(path: "Regressions"))) ?? []
        #expect(names.isSuperset(of: regressions))
    }

    private static func folders(in folder: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { !$0.contains(".") }
    }

    @Test("each rule finds its violation, on its line")
    func sample() {
        let sample = """
            import Foundation
            @preconcurrency internal import CGnuTLS
            public import struct SwiftDHT.NodeID
            let now = ContinuousClock().now
            let later = Date()
            var generator = SystemRandomNumberGenerator()
            let dice = Int.random(in: 0..<6)
            let order = list.shuffled()
            let good = Int.random(in: 0..<6, using: &source)
            let both = (Int.random(in: 0..<6, using: &source), Bool.random())
            // TODO: later
            fatalError("no")
            let value = try! read() as! Int
            print("interpolated \\(try! read())")
            """
        let found = Rules.check(sample, at: "SwiftICE/Sample.swift").map { "\($0.line) \($0.rule)" }
        #expect(
            Set(found) == [
                "1 import of Foundation in SwiftICE", "2 import of CGnuTLS outside SecureChannel",
                "3 import of SwiftDHT in SwiftICE", "4 clock: ContinuousClock", "5 clock: Date",
                "6 randomness: SystemRandomNumberGenerator", "7 randomness: .random(", "8 randomness: .shuffled(",
                "10 randomness: .random(", "11 TODO", "12 fatalError(", "13 try!", "13 as!", "14 try!",
            ])
    }

    @Test("what is not code, and what only looks alike, is no violation")
    func innocent() {
        let sample = ##"""
            import SansIO
            public import Digests
            // import Foundation; a Date, Int.random(in: 0...1), try! and fatalError( in a comment
            /* try! /* nested as! */ Date() */
            let text = "try! Date() \"as!\" import Foundation"
            let raw = #"fatalError( "Date" \"#
            let lines = """
                import Glibc
                Int.random(in: 0...1)
                """
            let updated = validDate + DateOfBirth.first + alias.has!(x)
            let children = Tree.random(&source) + list.shuffled(using: &source)
            let spread = Int.random(
                in: 0..<count(of: list),
                using: &source)
            """##
        #expect(Rules.check(sample, at: "SwiftICE/Sample.swift") == [])
    }

    @Test("rules know their targets")
    func targets() {
        #expect(Rules.check("import Crypto", at: "Digests/Hash.swift") == [])
        #expect(Rules.check("import Crypto", at: "SansIO/Hash.swift").count == 1)
        #expect(Rules.check("internal import CLinux", at: "EventLoop/Errno.swift") == [])
        #expect(Rules.check("internal import CLinux", at: "Swiftlet/Node.swift").count == 1)
        #expect(Rules.check("import Foundation\nlet now = Date()", at: "Swiftlet/Node.swift") == [])
        #expect(Rules.check("SystemRandomNumberGenerator()", at: "SansIO/RandomSource.swift") == [])
        #expect(Rules.check("SystemRandomNumberGenerator()", at: "SansIO/Other.swift").count == 1)
    }

    @Test("unfinished literals and comments end with the file")
    func unfinished() {
        for source in ["\"abc", "\"\"\"", "/* /*", "\"\\(", "#\"\\#(", "\"\\", "#", "//"] {
            #expect(SourceText(source).lines.count == 1)
        }
    }
}
