internal import EventLoop
public import Foundation
internal import SansIO
public import SecureChannel

/// A person's account on this device, kept in a state folder.
///
/// The folder holds `account/` with the keys and certificates, readable by its owner only, and what a node remembers
/// between runs.
public struct Account: Sendable {
    /// The state folder.
    public let folder: URL
    /// The keys and certificates.
    public let identity: Identity
    /// The name shown to peers; empty for none.
    public let displayName: String

    /// The account's address, which others call.
    public var id: AccountID { identity.accountID }

    private static let nameFile = "display-name"
    /// The longest name kept, in UTF-8 bytes: it travels in every call.
    public static let displayNameLimit = 256

    /// Makes an account in `folder`, which is created if need be; an account that is there already is never touched.
    ///
    /// Generates three keys of 4096 bits, which takes seconds.
    public static func create(in folder: URL, displayName: String = "") throws(AccountError) -> Account {
        let accountFolder = folder.appending(path: "account")
        if FileManager.default.fileExists(atPath: accountFolder.appending(path: "chain.pem").path) {
            throw .exists(path: accountFolder.path)
        }
        do {
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch { throw .unwritable(path: folder.path) }
        guard FileManager.default.isWritableFile(atPath: folder.path) else { throw .unwritable(path: folder.path) }
        let identity: Identity
        do { identity = try Identity.create(at: Int64(Date().timeIntervalSince1970)) } catch { throw .keys(error) }
        do { try identity.store(in: accountFolder.path) } catch { throw .storage(error) }
        let name = String(decoding: displayName.utf8.prefix(displayNameLimit), as: UTF8.self)
        do {
            try Data(name.utf8).write(to: accountFolder.appending(path: nameFile), options: .atomic)
        } catch { throw .unwritable(path: accountFolder.path) }
        return Account(folder: folder, identity: identity, displayName: name)
    }

    /// Loads the account of a state folder.
    public static func load(from folder: URL) throws(AccountError) -> Account {
        let accountFolder = folder.appending(path: "account")
        let identity: Identity
        do { identity = try Identity.load(from: accountFolder.path) } catch {
            if case .missing = error { throw .missing(path: folder.path) }
            throw .storage(error)
        }
        let name = (try? String(contentsOf: accountFolder.appending(path: nameFile), encoding: .utf8)) ?? ""
        return Account(folder: folder, identity: identity, displayName: name)
    }
}

/// Why an account could not be made or loaded.
public enum AccountError: Error, Sendable {
    /// The state folder holds no account.
    case missing(path: String)
    /// The state folder holds an account already.
    case exists(path: String)
    /// The state folder cannot be written.
    case unwritable(path: String)
    /// A file of the account cannot be read or written, or does not hold what it must.
    case storage(IdentityError)
    /// Keys or certificates could not be made.
    case keys(SecureChannelError)
}
