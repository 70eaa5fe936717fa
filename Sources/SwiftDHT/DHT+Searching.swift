internal import SansIO

/// The search engine: asks towards a key, then stores and listens at the closest nodes.
///
/// Every answer, every silence that lasts too long and every new node leads to a step; nothing is polled.
extension DHT {
    /// Makes sure that the search exists, filled with the closest nodes known.
    mutating func openSearch(_ key: SearchKey, at now: Instant) {
        guard searches[key] == nil else { return }
        let keys = networks[key.family].searchKeys
        let index = keys.firstIndex { $0 > key.key } ?? keys.count
        networks[key.family].searchKeys.insert(key.key, at: index)
        searches[key] = Search(key)
        refill(key, at: now)
    }

    mutating func closeSearch(_ key: SearchKey) {
        guard let search = searches.removeValue(forKey: key) else { return }
        networks[key.family].searchKeys.removeAll { $0 == key.key }
        timers.cancel(.search(key))
        for node in search.nodes { for subscription in node.subscriptions { sockets[subscription.socket] = nil } }
    }

    private mutating func refill(_ key: SearchKey, at now: Instant) {
        let width = configuration.searchWidth
        let closest = networks[key.family].nodes.closest(to: key.key, limit: width) { !$0.isExpired }
        let limit = configuration.searchNodeLimit
        for node in closest { searches[key]?.insert(node.known, isSlow: node.isSlow, limit: limit) }
        searches[key]?.refilled = now
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
    mutating func offerToSearches(_ node: KnownNode, at now: Instant) {
        let family = node.endpoint.address.family
        for key in networks[family].searchKeys {
            let name = SearchKey(key: key, family: family)
            guard let search = searches[name] else { continue }
            let width = configuration.searchWidth
            if search.nodes.count >= width, !node.id.isCloser(to: key, than: search.nodes[width - 1].id) { continue }
            let limit = configuration.searchNodeLimit
            searches[name]?.insert(node, isSlow: false, limit: limit)
            timers.set(.search(name), at: now)
        }
    }

    /// Does everything a search can do now, and sets its timer for what it can do later.
    mutating func step(_ key: SearchKey, at now: Instant) {
        guard let refilled = searches[key]?.refilled else { return }
        if refilled.duration(to: now) >= configuration.tokenFreshness { refill(key, at: now) }
        guard var search = searches.removeValue(forKey: key) else { return }
        lookUp(&search, at: now)
        storeAtClosest(&search, at: now)
        subscribeAtClosest(&search, at: now)
        let concluded = concluded(search, at: now)
        if search.isForTable, isSettled(search, at: now) { search.isForTable = false }
        searches[key] = search
        for (operation, answers) in concluded { searchConcluded(operation, key.family, answers: answers, at: now) }
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
        var counting = 0
        for index in search.nodes.indices where counting < configuration.replication {
            let node = search.nodes[index]
            guard !node.isExpired else { continue }
            if !node.isSlow { counting += 1 }
            guard inFlight < configuration.searchConcurrency || node.isSlow || !node.lookups.isEmpty else { continue }
            if lookUp(&search, index, at: now), node.lookups.isEmpty, !node.isSlow { inFlight += 1 }
        }
    }

    /// Sends what one node has to be asked; returns whether anything was sent.
    private mutating func lookUp(_ search: inout Search, _ index: Int, at now: Instant) -> Bool {
        var isAsked = false
        for operation in search.gets {
            let node = search.nodes[index]
            guard !node.answered.contains(operation), !node.isAsked(for: operation) else { continue }
            let query = operations[operation]?.query.flatMap { $0 == .all ? nil : $0 }
            let method = Request.Method.get(key: search.key.key, query: query, want: nil)
            isAsked = ask(method, for: operation, &search, index, at: now) || isAsked
        }
        isAsked = probe(&search, index, at: now) || isAsked
        let node = search.nodes[index]
        guard search.wantsTokens, node.lookups.isEmpty, !node.isSynced(configuration, at: now) else { return isAsked }
        return ask(.find(target: search.key.key, want: nil), for: nil, &search, index, at: now) || isAsked
    }

    mutating func ask(
        _ method: Request.Method, for operation: OperationID?, _ search: inout Search, _ index: Int, at now: Instant
    ) -> Bool {
        let node = KnownNode(id: search.nodes[index].id, endpoint: search.nodes[index].endpoint)
        guard let transaction = request(method, to: node, purpose: .lookup(search.key, operation), at: now) else {
            return false
        }
        search.update(at: index) { $0.lookups.append(.init(transaction: transaction, operation: operation)) }
        return true
    }

    mutating func lookupAnswered(
        _ transaction: UInt32, _ operation: OperationID?, by reply: Reply, in key: SearchKey, at now: Instant
    ) {
        searches[key]?.update(reply.sender) { node in
            node.wasHeard()
            node.token = reply.token
            node.synced = now
            node.lookups.removeAll { $0.transaction == transaction }
        }
        if let operation, !noteProbe(operation, by: reply, in: key) {
            searches[key]?.update(reply.sender) { $0.answered.append(operation) }
            for case .whole(let value) in reply.values { deliver(value, to: operation, at: now) }
            if let fields = reply.fields { deliver(fields, to: operation) }
        }
        step(key, at: now)
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

    /// The positions of the closest usable nodes, as far as all of them have answered.
    private func leading(_ search: Search, _ count: Int, at now: Instant) -> [Int] {
        var leading: [Int] = []
        for index in search.nodes.indices where !search.nodes[index].isExpired && !search.nodes[index].isSlow {
            guard leading.count < count, search.nodes[index].isSynced(configuration, at: now) else { break }
            leading.append(index)
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

    private mutating func nextSocket() -> UInt32 {
        repeat { lastSocket &+= 1 } while lastSocket == 0 || sockets[lastSocket] != nil
        return lastSocket
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
            if let answers = answers(search, hasAnswered) { concluded.append((operation, answers)) }
        }
        for operation in search.puts where operations[operation]?.isFinished == false {
            let hasStored = { (node: SearchNode) in
                node.stores.contains { $0.operation == operation && $0.acknowledged != nil }
            }
            if let answers = answers(search, hasStored) { concluded.append((operation, answers)) }
        }
        return concluded
    }

    /// How many nodes answered, once all of the closest that count have; `nil` before.
    private func answers(_ search: Search, _ hasAnswered: (SearchNode) -> Bool) -> Int? {
        let closest = search.closestCounting(
            configuration.replication, quorum: configuration.quorum, hasAnswered: hasAnswered)
        return closest.allSatisfy(hasAnswered) ? closest.count : nil
    }

    private func isSettled(_ search: Search, at now: Instant) -> Bool {
        answers(search) { $0.isSynced(configuration, at: now) } != nil
    }

    /// When something will be due that no answer brings about.
    private func nextStep(_ search: Search, at now: Instant) -> Instant? {
        guard search.wantsTokens else { return nil }
        var next: Instant?
        func consider(_ instant: Instant) { next = next.map { min($0, instant) } ?? instant }
        var counting = 0
        for node in search.nodes where !node.isExpired && !node.isSlow && counting < configuration.replication {
            counting += 1
            if let synced = node.synced, node.lookups.isEmpty {
                consider(synced.advanced(by: configuration.tokenFreshness))
            }
            for store in node.stores {
                guard case .put(let record)? = operations[store.operation]?.kind else { continue }
                if let due = refreshDue(record, store) { consider(due) }
            }
            // Nodes that closer ones displaced are not asked again.
            guard counting <= configuration.listenTargets else { continue }
            for subscription in node.subscriptions where !subscription.isPending {
                consider(subscription.renewed.advanced(by: configuration.listenInterval))
            }
        }
        // Never at once: what is due now and was not done waits for an answer.
        return next.map { max($0, now.advanced(by: .milliseconds(100))) }
    }
}
