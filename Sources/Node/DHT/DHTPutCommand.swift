import ArgumentParser
import Foundation
import SansIO
import SecureChannel
import SwiftDHT
import Swiftlet

/// `swiftlet dht put`.
struct DHTPutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "put", abstract: "Store a text or a file's bytes under a key, plain, signed or encrypted.",
        discussion: "A signed value takes the place of one with the same --id that the same identity signed before.")

    @OptionGroup var options: DHTOptions
    @OptionGroup var identity: IdentityOptions
    @Argument var key: DHTKey
    @Argument(help: "The text to store.") var text: String?
    @Option(help: ArgumentHelp("Store the bytes of a file, '-' for standard input.", valueName: "file"))
    var file: String?
    @Flag(help: "Keep storing it until Ctrl-C.") var permanent = false
    @Flag(help: "Sign it as --identity.") var sign = false
    @Option(
        help: ArgumentHelp(
            "Sign it, and encrypt it for the identity of this id, of 40 or 64 digits.", valueName: "id"),
        transform: DHTRecipient.parse)
    var encrypt: DHTRecipient?
    @Option(help: ArgumentHelp("The value's identifier, in hexadecimal. (default: random)", valueName: "hex"))
    var id: String?
    @Option(help: "The number of the value's type, which decides how long it is stored.") var type: UInt16 = 0
    @Option(help: "The application's own name of the data's kind.") var userType = "text/plain"

    func validate() throws {
        guard (text == nil) != (file == nil) else { throw ValidationError("give either a text or --file") }
        if let size = text?.utf8.count, size > ValueType.sizeLimit {
            throw ValidationError(DHTPutCommand.refusal(of: size))
        }
        if let id, (UInt64(id, radix: 16) ?? 0) == 0 {
            throw ValidationError("'\(id)' is no identifier; use 1 to 16 hexadecimal digits other than 0")
        }
        if sign || encrypt != nil, identity.identity == nil {
            throw ValidationError("signing and encrypting need --identity; see swiftlet dht identity create")
        }
    }

    func run() async throws {
        try await options.output.run {
            let identity = try identity.load()
            let body = ValueBody(type: ValueType(rawValue: type), data: try data(), userType: userType)
            let node = try await options.startShortly(identity: identity)
            let interruptions = Interruption.stream()
            key.tell(options.printer)
            do {
                let kind = encrypt.map(DHTValueKind.encrypted) ?? (sign ? .signed : .plain)
                let value = try await DHTPutCommand.value(body, kind, id: valueID, at: key.hash, by: node)
                options.printer.event(
                    "put",
                    [
                        ("key", .text(key.hash.description)), ("id", .text(DHTReport.hex(value.id))),
                        ("size", .integer(value.size)), ("permanent", .flag(permanent)),
                    ])
                let updates = await node.put(value, at: key.hash, permanently: permanent)
                let report = DHTReport(printer: options.printer)
                try DHTCommand.judge(
                    await report.follow(updates, of: node) {
                        "stored \(DHTReport.hex(value.id)) at \($0) node\($0 == 1 ? "" : "s")"
                    })
                if permanent {
                    for await _ in interruptions { break }
                }
                // Read to here, so that the permanent put goes on until now.
                withExtendedLifetime(updates) {}
            } catch {
                await node.close()
                throw error
            }
            await node.close()
        }
    }

    private var valueID: Value.ID {
        if let number = id.flatMap({ UInt64($0, radix: 16) }) { return Value.ID(number) }
        var random = RandomSource.system
        return .random(using: &random)
    }

    private func data() throws -> [UInt8] {
        if let text { return Array(text.utf8) }
        let path = file == "-" ? "/dev/stdin" : file ?? ""
        do throws(IdentityError) {
            return try PrivateFile.read(path, isSecret: false, limit: ValueType.sizeLimit)
        } catch {
            if case .overLimit = error { throw Failure(.usage, Self.refusal(of: .max)) }
            throw Failure(file: path, error)
        }
    }

    /// Makes a value of the kind that is wanted, if it is not too large for the network.
    static func value(
        _ body: ValueBody, _ kind: DHTValueKind, id: Value.ID, at key: InfoHash, by node: DHTNode
    ) async throws -> Value {
        let value: Value
        do throws(DHTNode.SecureError) {
            switch kind {
            case .plain: value = Value(id: id, content: .plain(body, signature: nil))
            case .signed: value = try await node.sign(body, id: id, for: key)
            case .encrypted(let reader): value = try await node.seal(body, id: id, for: reader.recipient)
            }
        } catch { throw Failure(error, for: kind.reader) }
        guard value.size <= ValueType.sizeLimit else {
            throw Failure(.usage, refusal(of: value.size))
        }
        return value
    }

    private static func refusal(of size: Int) -> String {
        let limit = "more than the \(ValueType.sizeLimit) bytes a value may have; store it in parts"
        return size == .max ? "the file has \(limit)" : "the value has \(size) bytes, \(limit)"
    }
}

/// What is done to a value before it is stored.
enum DHTValueKind: Hashable {
    case plain
    case signed
    case encrypted(DHTRecipient)

    /// The id of the reader, as it was written.
    var reader: String {
        guard case .encrypted(let reader) = self else { return "" }
        return reader.text
    }
}

/// The reader of an encrypted value: 40 digits of a short id, or 64 of a long one.
struct DHTRecipient: Hashable {
    let text: String
    let recipient: DHTNode.Recipient

    init?(_ text: String) {
        self.text = text
        if let id = ShortID(hex: text) {
            recipient = .short(id)
        } else if let id = LongID(hex: text) {
            recipient = .long(id)
        } else {
            return nil
        }
    }

    static func parse(_ argument: String) throws -> DHTRecipient {
        guard let recipient = DHTRecipient(argument) else {
            throw ValidationError(
                "'\(argument)' is no id; use the 40 or 64 hexadecimal digits of the reader's identity")
        }
        return recipient
    }
}
