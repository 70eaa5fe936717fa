internal import SansIO

/// Puts that ask a node what it has before they give it anything: lasting ones, and those of other nodes' values.
///
/// The question takes the place of the lookup that gets the token, so it costs nothing; and what is there already is
/// refreshed by its identifier, or left alone, instead of being sent again.
extension DHT {
    /// What one node still has to be sent for a put.
    enum StoreStep: Equatable {
        /// Its answer to the probe is awaited.
        case wait
        case put
        case refresh
        /// It has the value, and that is all that was wanted.
        case done
    }

    /// Asks a node what it has of the value of a put that is due there; returns whether anything was sent.
    mutating func probe(_ put: OpenPut, _ search: inout Search, _ index: Int, at now: Instant) -> Bool {
        guard isStoreDue(put, search, index, at: now), search.nodes[index].probe(of: put.id) == nil,
            !search.nodes[index].isProbed(for: put.id)
        else { return false }
        let query = ValueQuery(select: [.id, .sequence], where: [.id(put.record.value.id)])
        let method = Request.Method.get(key: search.key.key, query: query, want: nil)
        return ask(method, .probe(put.id), &search, index, at: now)
    }

    /// What the probe of a node leads to.
    func storeStep(_ put: OpenPut, _ search: Search, _ index: Int) -> StoreStep {
        guard put.record.kind != .once else { return .put }
        guard let probe = search.nodes[index].probe(of: put.id) else { return .wait }
        guard let sequence = probe.sequence, sequence >= put.record.value.body?.sequence ?? 0 else { return .put }
        return put.record.kind == .permanent ? .refresh : .done
    }

    /// Takes a node's answer to a probe.
    mutating func noteProbe(_ operation: OperationID, by reply: Reply, in key: SearchKey) {
        guard case .put(let record)? = operations[operation]?.kind else { return }
        let probe = SearchNode.Probe(operation: operation, sequence: reply.sequence(of: record.value.id))
        searches[key]?.update(reply.sender) { node in
            node.probes.removeAll { $0.operation == operation }
            node.probes.append(probe)
        }
    }

    /// A node that was to refresh a value has forgotten its key: it is given the value.
    mutating func valueWasForgotten(_ request: PendingRequest, at now: Instant) {
        guard case .store(let key, let operation) = request.purpose, let id = request.node,
            drop(request.transaction) != nil
        else { return }
        searches[key]?.update(id) { node in
            node.wasHeard()
            node.removeStore(operation)
            node.probes.append(.init(operation: operation, sequence: nil))
        }
        step(key, at: now)
    }
}

extension Reply {
    /// The sequence number of the value `id` in an answer to a probe; `nil` when it is not there.
    fileprivate func sequence(of id: Value.ID) -> UInt16? {
        for case .whole(let value) in values where value.id == id { return value.body?.sequence ?? 0 }
        guard let fields, let idColumn = fields.fields.firstIndex(of: .id),
            let sequenceColumn = fields.fields.firstIndex(of: .sequence)
        else { return nil }
        let width = fields.fields.count
        for row in stride(from: 0, to: fields.cells.count, by: width) {
            guard fields.cells[row + idColumn] == .number(id.rawValue),
                case .number(let sequence) = fields.cells[row + sequenceColumn]
            else { continue }
            return UInt16(clamping: sequence)
        }
        return nil
    }
}
