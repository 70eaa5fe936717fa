import SansIO
import SwiftDHT

/// One line of the driver. Answers name the tag: `value TAG DATA MICROSECONDS`, `done TAG 1|0 MICROSECONDS`.
struct Order: Sendable {
    enum Verb: Sendable {
        /// `nop TAG`: answered at once; shows what the harness itself costs.
        case nothing
        /// `node TAG NODE PORT BOOTPORT ID LIMITED`: a node on 127.0.0.1, which enters through BOOTPORT unless that is 0.
        case node(port: UInt16, bootstrap: UInt16, id: NodeID, isLimited: Bool)
        /// `put TAG NODE KEY DATA`: stores a plain value.
        case put(key: InfoHash, data: [UInt8])
        /// `get TAG NODE KEY`: reports values as they arrive, then the end.
        case get(key: InfoHash)
        /// `listen TAG NODE KEY`: reports values from now on.
        case listen(key: InfoHash)
        /// `kill TAG NODE`: the node vanishes without a farewell.
        case kill
    }

    let tag: String
    /// The driver's name of the node.
    let node: String
    let verb: Verb

    /// Reads a line; `nil` when it is none of the above.
    ///
    /// Words are taken apart as bytes: as characters this would be a tenth of what is measured.
    init?(_ line: ArraySlice<UInt8>) {
        let words = line.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
        guard words.count >= 2 else { return nil }
        tag = words[1]
        node = words.count > 2 ? words[2] : ""
        let key = words.count > 3 ? InfoHash(words[3]) : nil
        switch (words[0], words.count) {
        case ("nop", 2): verb = .nothing
        case ("kill", 3): verb = .kill
        case ("node", 7):
            guard let port = UInt16(words[3]), let bootstrap = UInt16(words[4]), let id = NodeID(words[5])
            else {
                return nil
            }
            verb = .node(port: port, bootstrap: bootstrap, id: id, isLimited: words[6] != "0")
        case ("put", 5):
            guard let key, let data = Hexadecimal.decode(words[4]) else { return nil }
            verb = .put(key: key, data: data)
        case ("get", 4):
            guard let key else { return nil }
            verb = .get(key: key)
        case ("listen", 4):
            guard let key else { return nil }
            verb = .listen(key: key)
        default: return nil
        }
    }
}
