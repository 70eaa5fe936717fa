import Foundation

/// A folder for one test, removed with it.
final class Sandbox: Sendable {
    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "swiftlet-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appending(path: name).path }

    func write(_ bytes: [UInt8], to name: String) throws -> String {
        try Data(bytes).write(to: folder.appending(path: name))
        return path(name)
    }

    /// A copy of a person's state folder as it is right after the account was made.
    func state(of person: Person) async throws -> String {
        let original = try await person.account
        let copy = path(original.name)
        try FileManager.default.copyItem(atPath: original.state, toPath: copy)
        return copy
    }

    /// Every file below a folder with its content, every folder with none.
    static func contents(of path: String) throws -> [String: Data] {
        var contents: [String: Data] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: path) {
            contents[name] = FileManager.default.contents(atPath: path + "/" + name) ?? Data()
        }
        return contents
    }
}

/// Somebody with an account. Making one takes seconds, so each is made once a run and copied.
enum Person: Sendable {
    case alice
    case bob

    struct Account: Sendable {
        let name: String
        let id: String
        let state: String
    }

    var account: Account {
        get async throws {
            switch self {
            case .alice: try await Self.alices.value
            case .bob: try await Self.bobs.value
            }
        }
    }

    var id: String { get async throws { try await account.id } }

    private static let originals = try? Sandbox()
    private static let alices = Task { try await make("Alice") }
    private static let bobs = Task { try await make("Bob") }

    private static func make(_ name: String) async throws -> Account {
        guard let folder = originals else { throw CocoaError(.fileWriteUnknown) }
        // Statics are never released.
        atexit { if let folder = Person.originals?.folder { try? FileManager.default.removeItem(at: folder) } }
        let state = folder.path(name)
        let process = try SwiftletProcess(["account", "create", "--json", "--state", state, "--name", name])
        let event = try await process.event("account-created")
        _ = try await process.exitCode()
        return Account(name: name, id: event["account"], state: state)
    }
}
