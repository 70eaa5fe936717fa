/// The few rules of this package that neither the compiler nor the formatter can see.
enum Rules {
    /// Targets that decide and touch nothing: bytes, commands and the time go in, effects come out.
    static let protocols = ["SansIO", "SwiftICE", "SwiftDHT", "SIPLite", "Digests", "Compression"]

    /// What a protocol target may import besides the standard library.
    static let allowedImports: [String: Set<String>] = [
        "SansIO": [], "SwiftICE": ["SansIO", "Digests"], "SwiftDHT": ["SansIO", "Digests"], "SIPLite": ["SansIO"],
        "Digests": ["Crypto", "SansIO"], "Compression": ["CZlib"],
    ]

    /// The one target that may import each C module.
    static let wrappers = [
        "CGnuTLS": "SecureChannel", "CSodium": "SecureChannel", "CSRTP": "MediaRTP", "COpus": "MediaRTP",
        "CSndFile": "AudioFiles", "CSampleRate": "AudioFiles", "CZlib": "Compression", "CALSA": "AudioDevices",
        "CLinux": "EventLoop",
    ]

    /// Where the operating system's randomness enters.
    static let randomnessExceptions: Set<String> = ["SansIO/RandomSource.swift"]

    /// Names that read a clock or wait.
    private static let clocks = [
        "ContinuousClock", "SuspendingClock", "UTCClock", "Date", "DispatchTime", "clock_gettime", "gettimeofday",
        "Task.sleep", "CFAbsoluteTimeGetCurrent", "ProcessInfo", "mach_absolute_time",
    ]
    /// Names that draw the system's randomness.
    private static let randomness = [
        "SystemRandomNumberGenerator", "arc4random", "getrandom", "getentropy", "UUID",
    ]
    /// Calls that draw the system's randomness unless they are told `using:` what.
    private static let randomCalls = [".random(", ".randomElement(", ".shuffled(", ".shuffle("]
    /// What no source may hold.
    private static let banned = ["fatalError(", "try!", "as!"]

    /// One broken rule.
    struct Violation: Hashable, CustomStringConvertible {
        var path: String
        var line: Int
        var rule: String

        var description: String { "\(path):\(line): \(rule)" }
    }

    /// Checks one file; `path` is relative to `Sources` and begins with its target's name.
    static func check(_ source: String, at path: String) -> [Violation] {
        let target = String(path.prefix { $0 != "/" })
        let code = SourceText(source).lines
        var violations: [Violation] = []
        func report(_ index: Int, _ rule: String) {
            violations.append(Violation(path: path, line: index + 1, rule: rule))
        }
        // In comments, too.
        for (index, line) in source.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            for word in ["TODO", "FIXME", "XXX"] where mentions(String(line), word) { report(index, word) }
        }
        for (index, line) in code.enumerated() {
            for name in banned where mentions(line, name) { report(index, name) }
            if let module = importedModule(line) {
                if let why = refusal(of: module, in: target) { report(index, why) }
            } else if protocols.contains(target) {
                for name in clocks where mentions(line, name) { report(index, "clock: \(name)") }
                guard !randomnessExceptions.contains(path) else { continue }
                for name in randomness where mentions(line, name) { report(index, "randomness: \(name)") }
                for call in randomCalls where line.contains(call) && !isTold(call, index, code) {
                    report(index, "randomness: \(call)")
                }
            }
        }
        return violations
    }

    /// Why `target` may not import `module`, or `nil` if it may.
    private static func refusal(of module: String, in target: String) -> String? {
        if let wrapper = wrappers[module], wrapper != target { return "import of \(module) outside \(wrapper)" }
        if let allowed = allowedImports[target], !allowed.contains(module) { return "import of \(module) in \(target)" }
        return nil
    }

    /// The module that an import declaration names, with its attributes and access level seen through.
    static func importedModule(_ line: String) -> String? {
        var words = line.split(whereSeparator: \.isWhitespace).map(String.init)
        let prefixes: Set = ["public", "package", "internal", "fileprivate", "private"]
        while let first = words.first, first.hasPrefix("@") || prefixes.contains(first) { words.removeFirst() }
        guard words.first == "import", words.count >= 2 else { return nil }
        let kinds: Set = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias", "actor"]
        let name = kinds.contains(words[1]) && words.count > 2 ? words[2] : words[1]
        return String(name.prefix { $0 != "." && $0 != ";" })
    }

    /// Whether `name` occurs with no letter, digit or underscore beside it.
    static func mentions(_ line: String, _ name: String) -> Bool {
        func isWord(_ character: Character?) -> Bool {
            character.map { $0.isLetter || $0.isNumber || $0 == "_" } ?? false
        }
        var rest = line[...]
        while let range = rest.firstRange(of: name) {
            let before = range.lowerBound > line.startIndex ? line[line.index(before: range.lowerBound)] : nil
            let after = range.upperBound < line.endIndex ? line[range.upperBound] : nil
            if !(isWord(name.first) && isWord(before)), !(isWord(name.last) && isWord(after)) { return true }
            rest = line[range.upperBound...]
        }
        return false
    }

    /// Whether every `call` of a line names its generator before its parenthesis closes, on this line or the next few.
    private static func isTold(_ call: String, _ index: Int, _ code: [String]) -> Bool {
        let text = code[index...].prefix(6).joined(separator: " ")
        let line = code[index]
        var position = line.startIndex
        while let range = line[position...].firstRange(of: call) {
            let offset = line.distance(from: line.startIndex, to: range.upperBound)
            var depth = 1
            let arguments = text.dropFirst(offset).prefix { character in
                if character == "(" { depth += 1 }
                if character == ")" { depth -= 1 }
                return depth > 0
            }
            // A function of our own by that name, such as `Tree.random(&source)`, passes a generator in place.
            guard arguments.contains("using:") || arguments.contains("&") else { return false }
            position = range.upperBound
        }
        return true
    }
}
