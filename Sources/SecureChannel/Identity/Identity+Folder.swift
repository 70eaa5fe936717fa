internal import SansIO

extension Identity {
    /// The files of a folder that holds an identity, all PEM.
    enum File: String, CaseIterable {
        /// Missing where the authority's key is not known.
        case authorityKey = "ca.key"
        case accountKey = "account.key"
        case deviceKey = "device.key"
        /// Written last: a folder without it holds no identity yet.
        case chain = "chain.pem"

        func path(in folder: String) -> String { folder + "/" + rawValue }
    }

    /// Writes the identity into `folder`, which is created if need be, readable by its owner only.
    ///
    /// Each file is written beside its place, flushed and renamed. An identity that is there already is kept and reported.
    public func store(in folder: String) throws(IdentityError) {
        try PrivateFile.makeFolder(folder)
        let chainPath = File.chain.path(in: folder)
        guard !PrivateFile.exists(chainPath) else { throw .exists(path: chainPath) }
        for file in File.allCases {
            let text: String? =
                switch file {
                case .authorityKey: authorityKey?.pem
                case .accountKey: accountKey.pem
                case .deviceKey: deviceKey.pem
                case .chain: chain.pem
                }
            let path = file.path(in: folder)
            // An interrupted run may have left a key that the chain does not know.
            guard let text else {
                try PrivateFile.remove(path)
                continue
            }
            try PrivateFile.write(Array(text.utf8), to: path)
        }
        try PrivateFile.flushFolder(folder)
    }

    /// Reads the identity ``store(in:)`` wrote.
    public static func load(from folder: String) throws(IdentityError) -> Identity {
        let chainPath = File.chain.path(in: folder)
        let chainBytes = try PrivateFile.read(chainPath, isSecret: false)
        let hasAuthorityKey = PrivateFile.exists(File.authorityKey.path(in: folder))
        let authorityKey = hasAuthorityKey ? try key(.authorityKey, in: folder) : nil
        let accountKey = try key(.accountKey, in: folder)
        let deviceKey = try key(.deviceKey, in: folder)
        let chain: CertificateChain
        do { chain = try CertificateChain(decoding: chainBytes) } catch { throw .malformed(path: chainPath, error) }
        do {
            return try Identity(
                authorityKey: authorityKey, accountKey: accountKey, deviceKey: deviceKey, chain: chain)
        } catch { throw .mismatched(path: chainPath) }
    }

    private static func key(_ file: File, in folder: String) throws(IdentityError) -> PrivateKey {
        let path = file.path(in: folder)
        let bytes = try PrivateFile.read(path, isSecret: true)
        do { return try PrivateKey(pem: String(decoding: bytes, as: UTF8.self)) } catch {
            throw .malformed(path: path, error)
        }
    }
}
