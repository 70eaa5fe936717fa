internal import CLinux
internal import Glibc

/// A table of the kernel below `/proc/net`, a line an entry.
enum KernelTable {
    /// How much of a table is read: some 1200 addresses, or 500 routes.
    private static let sizeLimit = 64 << 10

    /// Reads a table's lines; empty where there is none.
    static func lines(ofFileAt path: String) -> [ArraySlice<UInt8>] {
        // The path's C string lives through the call.
        guard let file = try? Descriptor(checking: unsafe clinux_open_for_reading(path)) else { return [] }
        var text: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while text.count < sizeLimit {
            // The kernel writes at most what `piece` holds.
            let count = unsafe Glibc.read(file.rawValue, &piece, piece.count)
            guard count > 0 else { break }
            text += piece[..<count]
        }
        return text.split(separator: UInt8(ascii: "\n"))
    }
}
