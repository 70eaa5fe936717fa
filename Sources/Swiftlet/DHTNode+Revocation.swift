public import SecureChannel
public import SwiftDHT

/// Lists of withdrawn certificates, which applications publish as values of user data at keys of their choice.
extension DHTNode {
    /// The lists at `key` that `issuer` signed, the newest first; what else lies there is left out.
    public func revocationLists(at key: InfoHash, by issuer: Certificate) async -> [RevocationList] {
        var found: [[UInt8]] = []
        for await case .value(let value) in get(key, matching: ValueQuery(where: [.type(.userData)])) {
            if let data = value.body?.data { found.append(data) }
        }
        return await Self.lists(in: found, by: issuer)
    }

    /// Reads and verifies, off the node's thread.
    @concurrent
    private static func lists(in found: [[UInt8]], by issuer: Certificate) async -> [RevocationList] {
        found.compactMap { try? RevocationList(decoding: $0) }
            .filter { $0.isSigned(by: issuer) }
            .sorted { $0.updated > $1.updated }
    }
}
