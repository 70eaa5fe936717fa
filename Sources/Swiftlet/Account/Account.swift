internal import EventLoop
public import Foundation
internal import SansIO
public import SecureChannel

/// A person's account on this device, kept in a state folder.
///
/// The folder holds `account/` with the keys and certificates, `contacts.json`, and what a node remembers between runs,
/// all readable by its owner only. Making, importing and exporting an account take up to seconds: not on an event loop.
public struct Account: Sendable {
    /// The state folder.
    public let folder: URL
    /// The keys and certificates.
    public let identity: Identity
    /// The name shown to peers; empty for none.
    public let displayName: String

    /// The account's address, which others call.
    public var id: AccountID { identity.accountID }

    /// The longest name kept, in UTF-8 bytes: it travels in every call.
    public static let displayNameLimit = 256

    /// Makes an account in `folder`, which is created if need be; an account that is there already is never touched.
    ///
    /// Generates three keys of 4096 bits, which takes seconds.
    public static func create(in folder: URL, displayName: String = "") throws(AccountError) -> Account {
        let (files, lock) = try AccountFiles.prepare(folder)
        defer { withExtendedLifetime(lock) {} }
        let identity: Identity
        do { identity = try Identity.create(at: now) } catch { throw .keys(error) }
        return try Account(storing: identity, in: files, displayName: displayName)
    }

    /// Makes this machine a device of the account of `archive`, in `folder` as ``create(in:displayName:)`` does.
    ///
    /// Generates the device's key of 4096 bits, which takes up to seconds.
    /// - Parameter displayName: the name where the archive has none.
    public static func create(
        in folder: URL, importing archive: AccountArchive, displayName: String = ""
    ) throws(AccountError) -> Account {
        let (files, lock) = try AccountFiles.prepare(folder)
        defer { withExtendedLifetime(lock) {} }
        let identity: Identity
        do {
            identity = try Identity.create(
                deviceOf: archive.accountKey, certificates: archive.certificates, authorityKey: archive.authorityKey,
                at: now)
        } catch { throw .keys(error) }
        // Before the identity, which makes the account exist.
        try files.write(archive)
        let name = archive.displayName.isEmpty ? displayName : archive.displayName
        return try Account(storing: identity, in: files, displayName: name)
    }

    private init(storing identity: Identity, in files: AccountFiles, displayName: String) throws(AccountError) {
        let name = Self.cut(displayName)
        try files.write(name: name)
        do { try identity.store(in: files.accountFolder.path) } catch { throw .storage(error) }
        (folder, self.identity, self.displayName) = (files.folder, identity, name)
    }

    private init(folder: URL, identity: Identity, displayName: String) {
        (self.folder, self.identity, self.displayName) = (folder, identity, displayName)
    }

    /// Loads the account of a state folder.
    public static func load(from folder: URL) throws(AccountError) -> Account {
        let files = AccountFiles(folder)
        let identity: Identity
        do { identity = try Identity.load(from: files.accountFolder.path) } catch {
            if case .missing = error { throw .missing(path: folder.path) }
            throw .storage(error)
        }
        return Account(folder: folder, identity: identity, displayName: files.name)
    }

    /// The account's contacts.
    public func contacts() throws(AccountError) -> ContactList { try AccountFiles(folder).contacts() }

    /// Changes the contacts of an account that no node runs with; the function is given the Unix time as well.
    public func changeContacts(_ change: (inout ContactList, Int64) -> Void) throws(AccountError) {
        let files = AccountFiles(folder)
        let lock = try files.lock()
        defer { withExtendedLifetime(lock) {} }
        var contacts = try files.contacts()
        change(&contacts, Self.now)
        try files.write(contacts)
    }

    /// The account as stock Jami imports it: everything but this device's key.
    public func archive() throws(AccountError) -> AccountArchive {
        let files = AccountFiles(folder)
        let (contacts, others) = (try files.contacts(), try files.others())
        do {
            return try AccountArchive(identity, displayName: displayName, contacts: contacts, others: others)
        } catch { throw .storage(.malformed(path: files.accountFolder.path, error)) }
    }

    private static var now: Int64 { Int64(Date().timeIntervalSince1970) }

    /// Cuts a name to the limit, between characters.
    private static func cut(_ name: String) -> String {
        var name = name
        while name.utf8.count > displayNameLimit { name.removeLast() }
        return name
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
    /// Another node runs with the state folder, or something else of this package is about to change it.
    case inUse(path: String)
    /// A file of the account cannot be read or written, or does not hold what it must.
    case storage(IdentityError)
    /// Keys or certificates could not be made.
    case keys(SecureChannelError)
}
