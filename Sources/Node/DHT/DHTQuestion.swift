import SwiftDHT
import Swiftlet

/// What is asked about the values of a key: which of them, and which facts of them; all of both where nothing is said.
struct DHTQuestion: Hashable {
    var select: [DHTReport.Field] = []
    var conditions: [ValueQuery.Where] = []

    /// Which values are meant.
    var query: ValueQuery { ValueQuery(where: conditions) }

    /// Looks for what is asked. Nodes are asked for the facts alone where they can tell all of them, else for the values.
    func ask(_ node: DHTNode, about key: InfoHash) async -> AsyncStream<DHTNode.Update> {
        let fields = select.compactMap(\.queried)
        guard !fields.isEmpty, fields.count == select.count else { return await node.get(key, matching: query) }
        return await node.query(key, ValueQuery(select: fields, where: conditions))
    }
}
