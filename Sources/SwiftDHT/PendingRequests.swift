internal import SansIO

/// Names one search: a key in one family.
struct SearchKey: Hashable, Sendable {
    let key: InfoHash
    let family: IPAddress.Family
}

/// A request that is not answered yet.
struct PendingRequest: Sendable {
    /// What a search wants of a node.
    enum Question: Hashable, Sendable {
        /// Closer nodes and a token.
        case find
        /// Values besides, for every get that asks for no more.
        case get(ValueQuery)
        /// What the node has of the value of a put.
        case probe(OperationID)

        /// Whether the answer holds all that `query` asks for.
        func answers(_ query: ValueQuery) -> Bool {
            if case .get(let asked) = self { query.isAnswered(by: asked) } else { false }
        }
    }

    /// Why it was sent, and who takes the answer.
    enum Purpose: Sendable {
        /// To see whether the node lives, or to make it known.
        case ping
        /// To find a part of the network that was lost: an endpoint to bootstrap from, or a node of earlier times.
        case reunion
        /// To see whether the node is still where it is known to be, as its identifier was seen elsewhere.
        case challenge
        /// To see whether a request that waits for an answer came from where it seems to come from.
        case proof
        /// To look after a bucket.
        case maintenance
        case lookup(SearchKey, Question)
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
    /// The attempt of which it was last said that nobody listens where it went.
    var refusedAttempt: Int?
    /// The request to the same node before this one, as far as it is not answered either.
    var earlier: UInt32?
    /// The request to the same node after this one, as far as it is not answered either.
    var later: UInt32?
    /// The wait for the answer to the first attempt.
    let wait: Duration

    /// The search it belongs to.
    var search: SearchKey? {
        switch purpose {
        case .lookup(let search, _), .store(let search, _), .listen(let search, _, _): search
        case .ping, .reunion, .challenge, .proof, .maintenance, .push: nil
        }
    }

    /// How often it is sent: what goes to an address that may be forged, once.
    func attempts(_ configuration: Configuration) -> Int {
        if case .proof = purpose { 1 } else { configuration.requestAttempts }
    }

    /// The wait after the current attempt: twice the last one, the last long enough to be sure.
    func currentWait(_ configuration: Configuration, at now: Instant) -> Duration {
        let elapsed = sent.duration(to: now)
        var wait = wait
        for _ in 1..<attempt { wait += wait }
        if attempt == 2 { wait = max(wait, configuration.patience) }
        if attempt == attempts(configuration) {
            if case .challenge = purpose {} else { wait = max(wait, configuration.expirySilence - elapsed) }
        }
        return max(.zero, min(wait, configuration.requestLifetime - elapsed))
    }
}
