import Foundation

/// The requests a node has treated, kept in a file so that none is answered again after a restart.
final class RequestMemory {
    /// One line of 16 hexadecimal digits a request; the file is rewritten with half of them when it has this many.
    private static let lineLimit = 4096

    private let path: String
    private(set) var requests: [UInt64]

    init(folder: URL) throws(NodeError) {
        path = folder.appending(path: "treated-requests").path
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        requests = text.split(separator: "\n").compactMap { UInt64($0, radix: 16) }.suffix(Self.lineLimit / 2)
        guard FileManager.default.isWritableFile(atPath: folder.path) else { throw .unwritable(path: folder.path) }
        try write(requests)
    }

    func append(_ request: UInt64) {
        requests.append(request)
        if requests.count >= Self.lineLimit {
            requests.removeFirst(Self.lineLimit / 2)
            // A request answered twice after a restart does less harm than a node that stops over a full disk.
            try? write(requests)
        } else if let file = FileHandle(forWritingAtPath: path) {
            _ = try? file.seekToEnd()
            try? file.write(contentsOf: Data(Self.line(request).utf8))
            try? file.close()
        }
    }

    private func write(_ requests: [UInt64]) throws(NodeError) {
        let text = requests.map(Self.line).joined()
        do { try Data(text.utf8).write(to: URL(filePath: path), options: .atomic) } catch {
            throw .unwritable(path: path)
        }
    }

    private static func line(_ request: UInt64) -> String {
        let digits = String(request, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits + "\n"
    }
}
