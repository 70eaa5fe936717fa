import ArgumentParser
import SwiftDHT

/// A key of the DHT as people write it: 40 hexadecimal digits as they are, any other text hashed with SHA-1.
struct DHTKey: ExpressibleByArgument, Hashable {
    let hash: InfoHash
    /// The text that was hashed; `nil` for digits.
    let text: String?

    init?(argument: String) {
        guard !argument.isEmpty else { return nil }
        let digits = InfoHash(argument)
        hash = digits ?? InfoHash(hashing: argument)
        text = digits == nil ? argument : nil
    }

    /// Says which key is meant.
    func tell(_ printer: Printer) {
        var facts: [(String, Printer.Fact)] = [("key", .text(hash.description)), ("hashed", .flag(text != nil))]
        if let text { facts.append(("text", .text(text))) }
        printer.event("key", facts)
        if let text, !printer.isJSON { printer.note("the key is \(hash), the SHA-1 of \"\(Printer.printable(text))\"") }
    }
}
