internal import SansIO

/// Names one search: a key in one family.
struct SearchKey: Hashable, Sendable {
    let key: InfoHash
    let family: IPAddress.Family
}

/// A request that is not answered yet.
struct PendingRequest: Sendable {
    /// Why it was sent, and who takes the answer.
    enum Purpose: Sendable {
        /// To see whether the node lives, or to make it known.
        case ping
        /// To look after a bucket.
        case maintenance
        /// A get or find for a search; a find serves no operation.
        case lookup(SearchKey, OperationID?)
        case store(SearchKey, OperationID)
        case listen(SearchKey, OperationID, socket: UInt32)
        /// News for a listener at a key we store.
        case push(InfoHash)
    }

    let transaction: UInt32
    /// `nil` for bootstrap endpoints, whose identifier is not known yet.
    let node: NodeID?
    let endpoint: Endpoint
    let purpose: Purpose
    let packet: [UInt8]
    /// Values that follow the packet as fragments.
    let values: [[UInt8]]
    /// When the first attempt left.
    let sent: Instant
    var attempt = 1
    var wait: Duration
    /// Whether it was sent again because the answer is slow, besides the regular attempts.
    var wasHedged = false

    /// The search it belongs to.
    var search: SearchKey? {
        switch purpose {
        case .lookup(let search, _), .store(let search, _), .listen(let search, _, _): search
        case .ping, .maintenance, .push: nil
        }
    }
}
