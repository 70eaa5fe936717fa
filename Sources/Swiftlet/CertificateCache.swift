internal import SansIO
internal import SecureChannel

/// Certificate chains that were found on the DHT, so that writing to somebody again needs no lookup.
///
/// What is found by an id proves the id's key for ever; that it is the newest chain of that key lasts for a while only.
struct CertificateCache: Sendable {
    /// How many chains are kept; the oldest goes first.
    let limit: Int
    /// How long a chain is used without another look.
    static let lifetime: Duration = .seconds(600)

    private var chains: [ShortID: (chain: CertificateChain, until: Instant)] = [:]
    private var shortIDs: [LongID: ShortID] = [:]
    /// In the order of insertion.
    private var order: [ShortID] = []

    init(limit: Int = 512) { self.limit = limit }

    /// How many chains are kept.
    var count: Int { chains.count }

    /// The chain of the key with this short id.
    func chain(of id: ShortID, at now: Instant) -> CertificateChain? {
        guard let (chain, until) = chains[id], now < until else { return nil }
        return chain
    }

    /// The chain of the key with this long id.
    func chain(of id: LongID, at now: Instant) -> CertificateChain? {
        shortIDs[id].flatMap { chain(of: $0, at: now) }
    }

    /// Keeps a chain, in place of an earlier one of the same key.
    mutating func insert(_ chain: CertificateChain, at now: Instant) {
        let id = chain.device.shortID
        if chains[id] == nil { order.append(id) }
        chains[id] = (chain, now.advanced(by: Self.lifetime))
        shortIDs[chain.device.longID] = id
        guard order.count > limit else { return }
        let oldest = order.removeFirst()
        guard let (chain, _) = chains.removeValue(forKey: oldest) else { return }
        shortIDs[chain.device.longID] = nil
    }
}
