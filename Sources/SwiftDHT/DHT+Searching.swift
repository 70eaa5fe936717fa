internal import SansIO

/// The search engine: asks towards a key, then stores and listens at the closest nodes.
///
/// Every answer, every silence that lasts too long and every new node leads to a step; nothing is polled.
extension DHT {
    /// Makes sure that the search exists, filled with the closest nodes known.
    mutating func openSearch(_ key: SearchKey, at now: Instant) {
        guard searches[key] == nil else { return }
        networks[key.family].searchKeys.insert(key.key, at: networks[key.family].searchPosition(of: key.key))
        searches[key] = Search(key)
        refill(key, at: now)
    }

    mutating func closeSearch(_ key: SearchKey) {
        guard let search = searches.removeValue(forKey: key) else { return }
        networks[key.family].searchKeys.remove(at: networks[key.family].searchPosition(of: key.key))
        timers.cancel(.search(key))
        for node in search.nodes { for subscription in node.subscriptions { sockets[subscription.socket] = nil } }
    }

    /// Whether a search should look at all nodes known: now and then, and when most of those it had are dead.
    private func isRefillDue(_ key: SearchKey, at now: Instant) -> Bool {
        guard let search = searches[key], let refilled = search.refilled else { return false }
        let age = refilled.duration(to: now)
        guard age >= configuration.refillInterval else { return false }
        return age >= configuration.tokenFreshness || search.livingCount < configuration.replication
    }

    private mutating func refill(_ key: SearchKey, at now: Instant) {
        let width = configuration.searchWidth
        let closest = networks[key.family].nodes.closest(to: key.key, limit: width) { !$0.isExpired }
        let mixed = mixing(closest, around: key.key, key.family, at: now, where: { !$0.isExpired })
        for node in mixed { insert(node.known, isSlow: node.isSlow, into: key, at: now) }
        searches[key]?.refilled = now
    }

    /// Adds a node to a search; what it displaces loses its listen sockets.
    mutating func insert(_ node: KnownNode, isSlow: Bool, into key: SearchKey, at now: Instant) {
        let (size, configuration) = (networks[key.family].plausibleSize(at: now), configuration)
        let displaced = searches[key]?.insert(node, isSlow: isSlow, size: size, configuration: configuration)
        for subscription in displaced.flatMap({ $0 })?.subscriptions ?? [] { sockets[subscription.socket] = nil }
    }

    /// What counts towards the closest nodes of a family's searches.
    private func spread(_ family: IPAddress.Family, at now: Instant) -> Spread {
        Spread(configuration, size: networks[family].plausibleSize(at: now))
    }

    /// Lets an operation take part in a family's search.
    mutating func attach(_ id: OperationID, to family: IPAddress.Family, at now: Instant) {
        guard let operation = operations[id] else { return }
        let key = SearchKey(key: operation.key, family: family)
        openSearch(key, at: now)
        switch operation.kind {
        case .get, .query: searches[key]?.gets.append(id)
        case .put: searches[key]?.puts.append(id)
        case .listen: searches[key]?.listens.append(id)
        }
        operations[id]?.families.append(family)
        operations[id]?.remaining.append(family)
        step(key, at: now)
    }

    /// Takes an operation out of a search.
    mutating func detach(_ id: OperationID, from key: SearchKey, at now: Instant) {
        guard searches[key] != nil else { return }
        remove(id, from: key)
        step(key, at: now)
    }

    mutating func remove(_ id: OperationID, from key: SearchKey) {
        for socket in searches[key]?.remove(id) ?? [] { sockets[socket] = nil }
    }

    /// A node that is new, or back, may be closer to a key than those a search has.
    ///
    /// Keys near its identifier come first, in both directions, and the first few it is no news to end the way.
    mutating func offerToSearches(_ node: KnownNode, at now: Instant) {
        let family = node.endpoint.address.family
        let keys = networks[family].searchKeys
        let middle = networks[family].searchPosition(of: node.id)
        offer(node, to: keys[middle...], at: now)
        offer(node, to: keys[..<middle].reversed(), at: now)
    }

    private mutating func offer(_ node: KnownNode, to keys: some Sequence<InfoHash>, at now: Instant) {
        var refusals = 0
        let width = configuration.searchWidth
        for key in keys {
            let name = SearchKey(key: key, family: node.endpoint.address.family)
            guard let search = searches[name] else { continue }
            if search.nodes.count >= width, !node.id.isCloser(to: key, than: search.nodes[width - 1].id) {
                refusals += 1
                guard refusals < configuration.offerRefusalLimit else { return }
                continue
            }
            insert(node, isSlow: false, into: name, at: now)
            timers.set(.search(name), at: now)
        }
    }

    /// Forgets the tokens of a search, and renews its listens with new ones.
    mutating func resynchronise(_ key: SearchKey, at now: Instant) {
        guard let count = searches[key]?.nodes.count else { return }
        for index in 0..<count { searches[key]?.update(at: index) { $0.resynchronise() } }
        step(key, at: now)
    }

    /// Does everything a search can do now, and sets its timer for what it can do later.
    mutating func step(_ key: SearchKey, at now: Instant) {
        if isRefillDue(key, at: now) { refill(key, at: now) }
        guard var search = searches.removeValue(forKey: key) else { return }
        lookUp(&search, at: now)
        storeAtClosest(&search, at: now)
        subscribeAtClosest(&search, at: now)
        let concluded = concluded(search, at: now)
        if search.isForTable, isSettled(search, at: now) { search.isForTable = false }
        searches[key] = search
        if !concluded.isEmpty { estimateSize(from: search, at: now) }
        for (operation, answers) in concluded {
            searchConcluded(operation, key.family, answers: answers, at: now)
        }
        for operation in search.puts where isSpread(operation, search, at: now) { put(operation, isSpreadIn: key) }
        guard let left = searches[key] else { return }
        guard !left.isIdle else { return closeSearch(key) }
        guard let next = nextStep(left, at: now) else { return timers.cancel(.search(key)) }
        timers.set(.search(key), at: next)
    }

    // MARK: Lookups

    /// Keeps lookups under way to the closest nodes that still owe an answer.
    private mutating func lookUp(_ search: inout Search, at now: Instant) {
        var inFlight = 0
        for node in search.nodes where !node.lookups.isEmpty && !node.isSlow && !node.isExpired { inFlight += 1 }
        var (spread, counted) = (spread(search.key.family, at: now), 0)
        let size = networks[search.key.family].plausibleSize(at: now) ?? .infinity
        for index in search.nodes.indices where counted < configuration.replication {
            let node = search.nodes[index]
            guard !node.isExpired else { continue }
            if spread.counts(node.prefix, fraction: node.fraction), !node.isSlow { counted += 1 }
            // As near as this, a node is one of those that are asked in the end: no need to wait for better ones.
            let isNear = node.fraction * size < Double(configuration.searchWidth)
            guard inFlight < configuration.searchConcurrency || isNear || node.isSlow || !node.lookups.isEmpty else {
                continue
            }
            if lookUp(&search, index, at: now), node.lookups.isEmpty, !node.isSlow { inFlight += 1 }
        }
    }

    /// Sends what one node has to be asked; returns whether anything was sent.
    private mutating func lookUp(_ search: inout Search, _ index: Int, at now: Instant) -> Bool {
        var isAsked = false
        for operation in search.gets {
            let node = search.nodes[index]
            guard !node.answered.contains(operation), let query = operations[operation]?.query,
                !node.isAsked(for: query)
            else { continue }
            let method = Request.Method.get(key: search.key.key, query: query == .all ? nil : query, want: nil)
            isAsked = ask(method, .get(query), &search, index, at: now) || isAsked
        }
        isAsked = probe(&search, index, at: now) || isAsked
        let node = search.nodes[index]
        guard search.wantsTokens, node.lookups.isEmpty, !node.isSynced(configuration, at: now) else { return isAsked }
        return ask(.find(target: search.key.key, want: nil), .find, &search, index, at: now) || isAsked
    }

    mutating func ask(
        _ method: Request.Method, _ question: PendingRequest.Question, _ search: inout Search, _ index: Int,
        at now: Instant
    ) -> Bool {
        let node = KnownNode(id: search.nodes[index].id, endpoint: search.nodes[index].endpoint)
        guard let transaction = request(method, to: node, purpose: .lookup(search.key, question), at: now) else {
            return false
        }
        search.update(at: index) { $0.lookups.append(.init(transaction: transaction, question: question)) }
        return true
    }

    mutating func lookupAnswered(
        _ transaction: UInt32, _ question: PendingRequest.Question, by reply: Reply, in key: SearchKey, at now: Instant
    ) {
        searches[key]?.update(reply.sender) { node in
            node.wasHeard()
            node.token = reply.token
            node.synced = now
        }
        for operation in lookupEnded(transaction, question, of: reply.sender, in: key) {
            for case .whole(let value) in reply.values { deliver(value, to: operation, at: now) }
            if let fields = reply.fields { deliver(fields, to: operation) }
        }
        if case .probe(let operation) = question { noteProbe(operation, by: reply, in: key) }
        step(key, at: now)
    }

    /// A node has nothing more to say to a lookup: all gets that asked for no more than it have their answer from there.
    @discardableResult
    mutating func lookupEnded(
        _ transaction: UInt32, _ question: PendingRequest.Question, of id: NodeID, in key: SearchKey
    ) -> [OperationID] {
        guard let search = searches[key] else { return [] }
        let served = search.gets.filter { operations[$0]?.query.map(question.answers) ?? false }
        searches[key]?.update(id) { node in
            node.lookups.removeAll { $0.transaction == transaction }
            for operation in served where !node.answered.contains(operation) { node.answered.append(operation) }
        }
        return served
    }

    /// A node does not take the token it gave: get another, and give the node up when that goes on.
    mutating func tokenWasRefused(_ request: PendingRequest, in key: SearchKey, at now: Instant) {
        guard let id = request.node, drop(request.transaction) != nil else { return }
        searches[key]?.update(id) { node in
            node.wasHeard()
            node.token = []
            node.synced = nil
            switch request.purpose {
            case .store(_, let operation): node.stores.removeAll { $0.operation == operation }
            case .listen(_, let operation, _):
                for index in node.subscriptions.indices where node.subscriptions[index].operation == operation {
                    node.subscriptions[index].isPending = false
                    node.subscriptions[index].renewed = Instant(nanoseconds: .min)
                }
            default: break
            }
        }
        var refusals = 0
        networks[key.family].nodes.update(id) { node in
            node.tokenRefusals += 1
            refusals = node.tokenRefusals
        }
        guard refusals <= configuration.tokenRefusalLimit else { return expireNode(id, key.family, at: now) }
        step(key, at: now)
    }

    // MARK: Puts

    /// Stores at the leading nodes that have a token: no closer one is left to ask before them.
    private mutating func storeAtClosest(_ search: inout Search, at now: Instant) {
        guard !search.puts.isEmpty else { return }
        for index in leading(search, configuration.replication, at: now) {
            for operation in search.puts { storeIfDue(operation, &search, index, at: now) }
        }
    }

    /// The positions of the closest usable nodes up to the `count`-th that counts, as far as all of them have answered.
    private func leading(_ search: Search, _ count: Int, at now: Instant) -> [Int] {
        var (spread, counted) = (spread(search.key.family, at: now), 0)
        var leading: [Int] = []
        for index in search.nodes.indices where !search.nodes[index].isExpired {
            let node = search.nodes[index]
            let counts = spread.counts(node.prefix, fraction: node.fraction)
            guard !node.isSlow else { continue }
            guard counted < count, node.isSynced(configuration, at: now) else { break }
            leading.append(index)
            if counts { counted += 1 }
        }
        return leading
    }

    private mutating func storeIfDue(
        _ operation: OperationID, _ search: inout Search, _ index: Int, at now: Instant
    ) {
        let node = search.nodes[index]
        guard case .put(let record)? = operations[operation]?.kind, isStoreDue(record, operation, at: node, now: now)
        else { return }
        let step = storeStep(record, operation, at: node)
        guard step != .wait, step == .done || send(step, record, operation, to: node, in: search.key, at: now) else {
            return
        }
        search.update(at: index) { node in
            node.stores.removeAll { $0.operation == operation }
            node.probes.removeAll { $0.operation == operation }
            let isDone = step == .done
            node.stores.append(.init(operation: operation, acknowledged: isDone ? now : nil, isPending: !isDone))
        }
    }

    /// Sends a put or refresh; `false` when too much is under way.
    private mutating func send(
        _ step: StoreStep, _ record: PutRecord, _ operation: OperationID, to node: SearchNode, in key: SearchKey,
        at now: Instant
    ) -> Bool {
        let target = KnownNode(id: node.id, endpoint: node.endpoint)
        let purpose = PendingRequest.Purpose.store(key, operation)
        guard step == .put else {
            let method = Request.Method.refresh(key: key.key, id: record.value.id, token: node.token)
            return request(method, to: target, purpose: purpose, at: now) != nil
        }
        let (items, fragments) = layout([record.value.packed])
        let age = record.created.duration(to: now)
        let isOld = !record.isPermanent && age >= configuration.creationOmission
        let created = isOld ? clock.unixSeconds(at: record.created) : nil
        let method = Request.Method.put(key: key.key, values: items, token: node.token, created: created)
        return request(method, to: target, values: fragments, purpose: purpose, at: now) != nil
    }

    /// When a permanent value must be stored again; `nil` for others, which are stored once.
    func refreshDue(_ record: PutRecord, _ store: SearchNode.Store) -> Instant? {
        guard record.isPermanent, let acknowledged = store.acknowledged else { return nil }
        let lifetime = record.value.type.policy.lifetime
        return acknowledged.advanced(by: max(lifetime - configuration.refreshMargin, lifetime / 2))
    }

    mutating func storeAnswered(_ operation: OperationID, by reply: Reply, in key: SearchKey, at now: Instant) {
        networks[key.family].nodes.update(reply.sender) { $0.tokenRefusals = 0 }
        searches[key]?.update(reply.sender) { node in
            node.wasHeard()
            for index in node.stores.indices where node.stores[index].operation == operation {
                (node.stores[index].acknowledged, node.stores[index].isPending) = (now, false)
            }
        }
        step(key, at: now)
    }

    // MARK: Listens

    private mutating func subscribeAtClosest(_ search: inout Search, at now: Instant) {
        guard !search.listens.isEmpty else { return }
        for index in leading(search, configuration.listenTargets, at: now) {
            for operation in search.listens { subscribeIfDue(operation, &search, index, at: now) }
        }
    }

    private mutating func subscribeIfDue(
        _ operation: OperationID, _ search: inout Search, _ index: Int, at now: Instant
    ) {
        guard let query = operations[operation]?.query else { return }
        let node = search.nodes[index]
        let place = node.subscriptions.firstIndex { $0.operation == operation }
        if let place {
            let subscription = node.subscriptions[place]
            let due = subscription.renewed.advanced(by: configuration.listenInterval)
            guard !subscription.isPending, due <= now else { return }
        }
        let socket = place.map { node.subscriptions[$0].socket } ?? nextSocket()
        let method = Request.Method.listen(
            key: search.key.key, token: node.token, socket: socket, version: 1, query: query == .all ? nil : query)
        let target = KnownNode(id: node.id, endpoint: node.endpoint)
        let purpose = PendingRequest.Purpose.listen(search.key, operation, socket: socket)
        guard request(method, to: target, purpose: purpose, at: now) != nil else { return }
        sockets[socket] = Socket(search: search.key, operation: operation, node: node.id)
        search.update(at: index) { node in
            if let place {
                (node.subscriptions[place].renewed, node.subscriptions[place].isPending) = (now, true)
            } else {
                node.subscriptions.append(
                    .init(operation: operation, socket: socket, renewed: now, isPending: true))
            }
        }
    }

    /// Drawn at random: nodes know theirs, and must not know from it by what name others push.
    private mutating func nextSocket() -> UInt32 {
        while true {
            let socket = UInt32(truncatingIfNeeded: random.next())
            if socket != 0, sockets[socket] == nil { return socket }
        }
    }

    mutating func listenAnswered(_ operation: OperationID, by reply: Reply, in key: SearchKey, at now: Instant) {
        networks[key.family].nodes.update(reply.sender) { $0.tokenRefusals = 0 }
        searches[key]?.update(reply.sender) { node in
            node.wasHeard()
            if !reply.token.isEmpty { (node.token, node.synced) = (reply.token, now) }
            for index in node.subscriptions.indices where node.subscriptions[index].operation == operation {
                node.subscriptions[index].isPending = false
            }
        }
        step(key, at: now)
    }

    // MARK: Ends

    /// The operations this search has nothing more to give to, with the number of nodes that answered each.
    private func concluded(_ search: Search, at now: Instant) -> [(OperationID, answers: Int)] {
        var concluded: [(OperationID, answers: Int)] = []
        for operation in search.gets {
            let hasAnswered = { (node: SearchNode) in node.answered.contains(operation) }
            if let answers = answers(search, at: now, hasAnswered) { concluded.append((operation, answers)) }
        }
        for operation in search.puts where operations[operation]?.isFinished == false {
            let hasStored = { (node: SearchNode) in node.hasStored(operation) }
            if let answers = answers(search, at: now, hasStored) { concluded.append((operation, answers)) }
        }
        return concluded
    }

    /// How many nodes answered, once all of the closest that count have; `nil` before.
    private func answers(_ search: Search, at now: Instant, _ hasAnswered: (SearchNode) -> Bool) -> Int? {
        let closest = search.closestCounting(
            configuration.replication, quorum: configuration.quorum, spread(search.key.family, at: now),
            hasAnswered: hasAnswered)
        return closest.allSatisfy(hasAnswered) ? closest.count : nil
    }

    private func isSettled(_ search: Search, at now: Instant) -> Bool {
        answers(search, at: now) { $0.isSynced(configuration, at: now) } != nil
    }

    /// Whether a put that was reported as done has nothing left to do, not even at nodes that were slow.
    private func isSpread(_ operation: OperationID, _ search: Search, at now: Instant) -> Bool {
        guard operations[operation]?.isLingering == true else { return false }
        return search.isDoneEverywhere(configuration.replication, spread(search.key.family, at: now)) {
            $0.hasStored(operation)
        }
    }

    /// Takes what a finished search saw as a sample of the network's density.
    private mutating func estimateSize(from search: Search, at now: Instant) {
        if networks[search.key.family].size.own == nil { estimateSize(search.key.family, at: now) }
        var (spread, rank) = (spread(search.key.family, at: now), 0)
        for node in search.nodes where !node.isExpired {
            let counts = spread.counts(node.prefix, fraction: node.fraction)
            guard counts, !node.isSlow else { continue }
            rank += 1
            guard rank == configuration.replication,
                let size = SizeEstimate.size(rank: rank, fraction: node.fraction)
            else { continue }
            return networks[search.key.family].size.observe(size, around: search.key.key, at: now)
        }
    }

    /// When something will be due that no answer brings about.
    private func nextStep(_ search: Search, at now: Instant) -> Instant? {
        guard search.wantsTokens else { return nil }
        var next: Instant?
        func consider(_ instant: Instant) { next = next.map { min($0, instant) } ?? instant }
        var (spread, counted) = (spread(search.key.family, at: now), 0)
        for node in search.nodes where !node.isExpired && counted < configuration.replication {
            let isListenTarget = counted < configuration.listenTargets
            let counts = spread.counts(node.prefix, fraction: node.fraction)
            guard !node.isSlow else { continue }
            if counts { counted += 1 }
            if let synced = node.synced, node.lookups.isEmpty {
                consider(synced.advanced(by: configuration.tokenFreshness))
            }
            for store in node.stores {
                guard case .put(let record)? = operations[store.operation]?.kind else { continue }
                if let due = refreshDue(record, store) { consider(due) }
            }
            // Nodes that closer ones displaced are not asked again.
            guard isListenTarget else { continue }
            for subscription in node.subscriptions where !subscription.isPending {
                consider(subscription.renewed.advanced(by: configuration.listenInterval))
            }
        }
        // Never at once: what is due now and was not done waits for an answer.
        return next.map { max($0, now.advanced(by: .milliseconds(100))) }
    }
}
