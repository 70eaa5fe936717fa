import Foundation
import SansIO
import SecureChannel
import SwiftDHT

/// The file a node of the DHT is remembered in.
struct DHTStateFile: Sendable {
    let path: String

    /// More than a full storage takes.
    private static let sizeLimit = 256 << 20

    init(_ path: String) { self.path = path }

    /// Reads the file; `nil` when there is none yet. A file that is none of ours is left as it is.
    func read() throws -> DHT.State? {
        let bytes: [UInt8]
        do throws(IdentityError) {
            bytes = try PrivateFile.read(path, isSecret: false, limit: Self.sizeLimit)
        } catch {
            if case .missing = error { return nil }
            throw Failure(file: path, error)
        }
        let now = Int64(Date().timeIntervalSince1970 * 1e9)
        do throws(WireError) { return try DHT.State(decoding: bytes, at: now) } catch {
            throw Failure(
                .badFile,
                "\(path) holds no state of a DHT node (\(error)); it was left as it is, name another with --state")
        }
    }

    /// Replaces the file as a whole.
    func write(_ state: DHT.State) throws {
        do throws(IdentityError) { try PrivateFile.write(state.packed, to: path) } catch {
            throw Failure(.cannotCreate, "cannot write \(path); check its folder and permissions")
        }
    }

    /// Whether the file could be written, tried before a node runs for days.
    func checkWritable() throws {
        let folder = (path as NSString).deletingLastPathComponent
        guard FileManager.default.isWritableFile(atPath: folder.isEmpty ? "." : folder) else {
            throw Failure(.cannotCreate, "cannot write \(path); check its folder and permissions")
        }
    }
}

extension NodeID {
    /// An identifier for a node that nobody will meet again.
    static func random() -> NodeID {
        var random = RandomSource.system
        return .random(using: &random)
    }
}
