internal import SansIO

/// The search engine: asks towards a key, then stores and listens at the closest nodes.
///
/// Every answer, every silence that lasts too long and every new node leads to a step; nothing is polled.
extension DHT {
    /// Makes sure that the search exists, filled with the closest nodes known.
    mutating func openSearch(_ key: SearchKey, at now: Instant) {
        guard searches[key] == nil else { return wake(key) }
        networks[key.family].searchKeys.insert(key.key, at: networks[key.family].searchPosition(of: key.key))
        var search = Search(key)
        refill(&search, at: now)
        searches[key] = search
    }

    mutating func closeSearch(_ key: SearchKey) {
        wake(key)
        guard let search = searches.removeValue(forKey: key) else { return }
        networks[key.family].searchKeys.remove(at: networks[key.family].searchPosition(of: key.key))
        timers.cancel(.search(key))
        for index in search.nodes.indices {
            for subscription in search.nodes[index].subscriptions { sockets[subscription.socket] = nil }
        }
    }

    /// Keeps a search that nothing needs any more for a while: whoever asked for a key often puts there next, and then needs
    /// neither nodes nor tokens.
    mutating func rest(_ key: SearchKey, at now: Instant) {
        if let end = searches[key]?.idleUntil {
            return end <= now ? closeSearch(key) : schedule(key, at: end)
        }
        guard configuration.idleSearchLimit > 0 else { return closeSearch(key) }
        if idleSearches.count >= configuration.idleSearchLimit { closeSearch(idleSearches[0]) }
        let end = now.advanced(by: configuration.idleSearchTime)
        idleSearches.append(key)
        searches[key]?.idleUntil = end
        schedule(key, at: end)
    }

    private mutating func wake(_ key: SearchKey) {
        guard searches[key]?.idleUntil != nil else { return }
        searches[key]?.idleUntil = nil
        idleSearches.removeAll { $0 == key }
    }

    /// Whether a search should look at all nodes known: now and then, and when most of those it had are dead.
    private func isRefillDue(_ search: Search, at now: Instant) -> Bool {
        guard let age = search.refilled?.duration(to: now), age >= configuration.refillInterval else { return false }
        return age >= configuration.tokenFreshness || search.livingCount < configuration.replication
    }

    private mutating func refill(_ search: inout Search, at now: Instant) {
        let (key, family) = (search.key.key, search.key.family)
        let width = configuration.searchWidth
        let closest = networks[family].nodes.closest(to: key, limit: width) { !$0.isExpired }
        let mixed = mixing(closest, around: key, family, at: now, where: { !$0.isExpired })
        let (size, limits) = (networks[family].size.plausible(at: now), Search.Limits(configuration))
        for node in mixed {
            let token = knownToken(of: node.known, at: now)
            forgetSockets(of: search.insert(node.known, isSlow: node.isSlow, token: token, size: size, limits))
        }
        search.refilled = now
    }

    /// Adds a node to a search; what it displaces loses its listen sockets.
    mutating func insert(_ node: KnownNode, isSlow: Bool, into key: SearchKey, at now: Instant) {
        let size = networks[key.family].size.plausible(at: now)
        let limits = Search.Limits(configuration)
        let token = knownToken(of: node, at: now)
        let displaced = searches[key]?.insert(node, isSlow: isSlow, token: token, size: size, limits)
        forgetSockets(of: displaced ?? nil)
    }

    private func knownToken(of node: KnownNode, at now: Instant) -> KnownTokens.Entry? {
        let freshAfter = now.rewound(by: configuration.tokenFreshness)
        return networks[node.endpoint.address.family].tokens.token(of: node, after: freshAfter)
    }

    private mutating func forgetSockets(of node: SearchNode?) {
        guard let node else { return }
        for subscription in node.subscriptions { sockets[subscription.socket] = nil }
    }

    /// What counts towards the closest nodes of a family's searches.
    func spread(_ family: IPAddress.Family, at now: Instant) -> Spread {
        Spread(prefixLimit: configuration.targetsPerPrefix, size: networks[family].size.plausible(at: now))
    }

    /// Lets an operation take part in a family's search.
    mutating func attach(_ id: OperationID, to family: IPAddress.Family, at now: Instant) {
        guard let operation = operations[id] else { return }
        let key = SearchKey(key: operation.key, family: family)
        openSearch(key, at: now)
        switch operation.kind {
        case .get, .query: searches[key]?.gets.append(id)
        case .put(let record):
            searches[key]?.puts.append(OpenPut(id: id, record: record, isFinished: operation.isFinished))
        case .listen: searches[key]?.listens.append(id)
        }
        operations[id]?.join(family)
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
            schedule(name, at: now)
        }
    }

    /// Forgets the tokens of a search, and begins its listens anew with others.
    mutating func resynchronise(_ key: SearchKey, at now: Instant) {
        guard let count = searches[key]?.nodes.count else { return }
        var closed: [UInt32] = []
        for index in 0..<count { searches[key]?.update(at: index) { closed += $0.resynchronise() } }
        for socket in closed { sockets[socket] = nil }
        step(key, at: now)
    }

    /// Does everything a search can do now, and sets its timer for what it can do later.
    mutating func step(_ key: SearchKey, at now: Instant) {
        if let place = searches.index(forKey: key) { step(key, place, at: now) }
    }

    /// The same for a search that was looked up already.
    mutating func step(_ key: SearchKey, _ place: SearchPlace, at now: Instant) {
        // Taken out meanwhile, as the node changes with it.
        var search = Search(key)
        swap(&search, &searches.values[place])
        if isRefillDue(search, at: now) { refill(&search, at: now) }
        let facts = facts(for: search, at: now)
        lookUp(&search, facts)
        storeAtClosest(&search, facts)
        subscribeAtClosest(&search, facts)
        let concluded = concluded(search, facts)
        if search.isForTable, isSettled(search, facts) { search.isForTable = false }
        if !concluded.isEmpty { estimateSize(from: search, at: now) }
        let mayEnd = !concluded.isEmpty || search.isIdle || search.puts.contains(where: \.isLingering)
        if !mayEnd { schedule(&search, at: nextStep(search, facts)) }
        swap(&search, &searches.values[place])
        if mayEnd { finishStep(of: key, concluded, facts) }
    }

    /// Ends what a step brought to an end: operations, and the search itself when nothing needs it any more.
    private mutating func finishStep(
        of key: SearchKey, _ concluded: [(OperationID, answers: Int)], _ facts: StepFacts
    ) {
        for (operation, answers) in concluded {
            searchConcluded(operation, key.family, answers: answers, at: facts.now)
        }
        for put in searches[key]?.puts ?? [] where isSpread(put, in: key, facts) {
            self.put(put.id, isSpreadIn: key, at: facts.now)
        }
        guard let left = searches[key] else { return }
        guard !left.isIdle else { return rest(key, at: facts.now) }
        schedule(key, at: nextStep(left, facts))
    }

    private func facts(for search: Search, at now: Instant) -> StepFacts {
        StepFacts(
            now: now, freshAfter: now.rewound(by: configuration.tokenFreshness),
            size: networks[search.key.family].size.plausible(at: now), prefixLimit: configuration.targetsPerPrefix)
    }

    /// Sets the timer of a search that is taken out. Most steps change nothing about when the next is due.
    private mutating func schedule(_ search: inout Search, at next: Instant?) {
        guard search.nextStep != next else { return }
        search.nextStep = next
        setTimer(of: search.key, to: next)
    }

    private mutating func schedule(_ key: SearchKey, at next: Instant?) {
        searches[key]?.nextStep = next
        setTimer(of: key, to: next)
    }

    private mutating func setTimer(of key: SearchKey, to next: Instant?) {
        if let next { timers.set(.search(key), at: next) } else { timers.cancel(.search(key)) }
    }

    /// The timer of a search fired.
    mutating func stepIsDue(_ key: SearchKey, at now: Instant) {
        searches[key]?.nextStep = nil
        step(key, at: now)
    }

    // MARK: Lookups

    /// Keeps lookups under way to the closest nodes that still owe an answer.
    private mutating func lookUp(_ search: inout Search, _ facts: StepFacts) {
        var (inFlight, late) = (0, 0)
        for index in search.nodes.indices {
            if search.isAwaited(index) { inFlight += 1 }
            if search.isLate(index) { late += 1 }
        }
        // Where nodes are late others may be dead as well: several are tried in their places at once, not one after another.
        let wanted = configuration.replication + min(late, configuration.searchConcurrency)
        var (spread, counted) = (facts.spread, 0)
        let questions = Questions(
            explorations: search.isForTable ? .max : configuration.explorations,
            gets: search.gets.compactMap { id in operations[id]?.query.map { (id, $0) } },
            probes: search.puts.filter { $0.record.kind != .once })
        for index in search.nodes.indices where counted < wanted {
            guard !search.nodes[index].isExpired else { continue }
            let (fraction, isSlow) = (search.nodes[index].fraction, search.nodes[index].isSlow)
            let isIdle = search.nodes[index].lookups.isEmpty
            if spread.counts(search.nodes[index].prefix, fraction: fraction), !isSlow { counted += 1 }
            // As near as this, a node is one of those that are asked in the end: no need to wait for better ones.
            let isNear = isNear(fraction, facts.size)
            guard inFlight < configuration.searchConcurrency || isNear || isSlow || !isIdle else { continue }
            let isToAnswer = counted <= questions.explorations || !isNear
            if lookUp(&search, index, questions, isToAnswer: isToAnswer, facts), isIdle, !isSlow { inFlight += 1 }
        }
    }

    /// Whether a node at this distance, as a fraction of the space, is likely to be one of the closest in a network of `size`
    /// nodes.
    func isNear(_ fraction: Double, _ size: Double?) -> Bool {
        guard let size else { return false }
        return fraction * size < Double(configuration.searchWidth)
    }

    /// Sends what one node has to be asked; returns whether anything was sent.
    ///
    /// - Parameter isToAnswer: whether a token is not enough, and the node must say whom it knows.
    private mutating func lookUp(
        _ search: inout Search, _ index: Int, _ questions: Questions, isToAnswer: Bool, _ facts: StepFacts
    ) -> Bool {
        var isAsked = false
        for (operation, query) in questions.gets where !search.nodes[index].answered.contains(operation) {
            guard !search.nodes[index].lookups.contains(where: { $0.question.answers(query) }) else { continue }
            let method = Request.Method.get(key: search.key.key, query: query == .all ? nil : query, want: nil)
            isAsked = ask(method, .get(query), &search, index, at: facts.now) || isAsked
        }
        for put in questions.probes { isAsked = probe(put, &search, index, at: facts.now) || isAsked }
        guard search.wantsTokens, search.nodes[index].lookups.isEmpty,
            !search.isSynced(index, after: facts.freshAfter)
                || isToAnswer && !search.isExplored(index, after: facts.freshAfter)
        else { return isAsked }
        return ask(.find(target: search.key.key, want: nil), .find, &search, index, at: facts.now) || isAsked
    }

    mutating func ask(
        _ method: Request.Method, _ question: PendingRequest.Question, _ search: inout Search, _ index: Int,
        at now: Instant
    ) -> Bool {
        let purpose = PendingRequest.Purpose.lookup(search.key, question)
        guard let transaction = request(method, to: search.known(index), purpose: purpose, at: now) else {
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
            node.explored = now
            if !reply.token.isEmpty { (node.token, node.synced) = (reply.token, now) }
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
        guard let gets = searches[key]?.gets else { return [] }
        let served = gets.filter { operations[$0]?.query.map(question.answers) ?? false }
        searches[key]?.update(id) { node in
            node.lookups.removeAll { $0.transaction == transaction }
            for operation in served where !node.answered.contains(operation) { node.answered.append(operation) }
        }
        return served
    }

    /// A node does not take the token it gave: get another, and give the node up when that goes on.
    mutating func tokenWasRefused(_ request: PendingRequest, in key: SearchKey, at now: Instant) {
        guard let id = request.node, drop(request.transaction) != nil else { return }
        networks[key.family].tokens.remove(id)
        var wasBorrowed = false
        searches[key]?.update(id) { node in
            node.wasHeard()
            wasBorrowed = node.explored == nil
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
            // One given to another search may be older than its giver, and many searches may have had it.
            if !wasBorrowed { node.tokenRefusals += 1 }
            refusals = node.tokenRefusals
        }
        guard refusals <= configuration.tokenRefusalLimit else { return expireNode(id, key.family, at: now) }
        step(key, at: now)
    }
}
