internal import Foundation
internal import SansIO
internal import SecureChannel

/// The files of an account in a state folder, beside those of its identity.
struct AccountFiles {
    let folder: URL

    var accountFolder: URL { folder.appending(path: "account") }
    private var nameFile: URL { accountFolder.appending(path: "display-name") }
    private var contactsFile: URL { folder.appending(path: "contacts.json") }
    /// What an imported archive held that means nothing here; secret, as the name server's key is among it.
    private var othersFile: URL { accountFolder.appending(path: "archive.json") }

    /// The largest file that is read, in bytes: contacts may be spelt longer here than in the archive they came from.
    private static let maximumBytes = 2 * AccountArchive.maximumBytes

    init(_ folder: URL) { self.folder = folder }

    /// Makes the folders of an account to come, which is nobody else's to change as long as the lock is held; an account
    /// that is there already is reported.
    static func prepare(_ folder: URL) throws(AccountError) -> (files: AccountFiles, lock: FileLock) {
        let files = AccountFiles(folder)
        try files.checkAbsence()
        do {
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch { throw .unwritable(path: folder.path) }
        let lock = try files.lock()
        // Somebody else may have been about to make one.
        try files.checkAbsence()
        do { try PrivateFile.makeFolder(files.accountFolder.path) } catch { throw .storage(error) }
        // Rests of an account that was never finished are not of the one to come.
        for file in [files.contactsFile, files.othersFile] {
            do { try PrivateFile.remove(file.path) } catch { throw .storage(error) }
        }
        return (files, lock)
    }

    private func checkAbsence() throws(AccountError) {
        guard PrivateFile.exists(accountFolder.appending(path: "chain.pem").path) else { return }
        throw .exists(path: accountFolder.path)
    }

    /// Keeps other programs from changing the folder, as long as the lock is held.
    func lock() throws(AccountError) -> FileLock {
        guard FileManager.default.isWritableFile(atPath: folder.path) else { throw .unwritable(path: folder.path) }
        do throws(IdentityError) { return try FileLock(folder.appending(path: "lock").path) } catch {
            if case .exists = error { throw .inUse(path: folder.path) }
            throw .storage(error)
        }
    }

    /// The display name; empty where there is none.
    var name: String { (try? String(contentsOf: nameFile, encoding: .utf8)) ?? "" }

    func write(name: String) throws(AccountError) { try write(Array(name.utf8), to: nameFile) }

    /// Keeps what the archive holds beyond the identity and the name.
    func write(_ archive: AccountArchive) throws(AccountError) {
        try write(archive.contacts)
        try write(JSON.object(archive.others).encoded, to: othersFile)
    }

    func write(_ contacts: ContactList) throws(AccountError) { try write(contacts.json.encoded, to: contactsFile) }

    func contacts() throws(AccountError) -> ContactList { ContactList(try members(of: contactsFile)) }

    func others() throws(AccountError) -> [JSON.Member] { try members(of: othersFile) }

    private func write(_ bytes: [UInt8], to file: URL) throws(AccountError) {
        do { try PrivateFile.write(bytes, to: file.path) } catch { throw .storage(error) }
    }

    /// The members of the object in a file; none where there is no file.
    private func members(of file: URL) throws(AccountError) -> [JSON.Member] {
        guard PrivateFile.exists(file.path) else { return [] }
        let bytes: [UInt8]
        do {
            bytes = try PrivateFile.read(file.path, isSecret: true, limit: Self.maximumBytes)
        } catch { throw .storage(error) }
        do throws(WireError) {
            guard let members = try JSON(decoding: bytes).asObject else { throw .malformed(.json, at: 0) }
            return members
        } catch { throw .storage(.malformed(path: file.path, error)) }
    }
}
