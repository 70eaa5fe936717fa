import SansIO
import SwiftDHT

/// Prints what a node knows and does.
extension DHTReport {
    func show(_ inspection: DHTOrder.Inspection, of snapshot: DHT.Snapshot) {
        switch inspection {
        case .table: table(snapshot)
        case .searches: searches(snapshot)
        case .storage: storage(snapshot)
        case .stats: stats(snapshot)
        case .operations: break
        }
    }

    private func table(_ snapshot: DHT.Snapshot) {
        for network in snapshot.networks {
            for bucket in network.buckets {
                printer.event(
                    "bucket",
                    [
                        ("family", .text(network.family.name)), ("first", .text(bucket.first.description)),
                        ("depth", .integer(bucket.depth)), ("nodes", .integer(bucket.nodes.count)),
                    ], line: "\(network.family.name) \(bucket.first)/\(bucket.depth): \(bucket.nodes.count) nodes")
                for node in bucket.nodes { show(node, network.family) }
            }
        }
    }

    private func show(_ node: DHT.Snapshot.Node, _ family: IPAddress.Family) {
        let state =
            switch node.state {
            case .good: "good"
            case .doubtful: "doubtful"
            case .expired: "expired"
            }
        var facts: [(String, Printer.Fact)] = [
            ("family", .text(family.name)), ("id", .text(node.node.id.description)),
            ("endpoint", .text(node.node.endpoint.description)), ("state", .text(state)),
        ]
        if let time = node.roundTrip { facts.append(("rttMs", .number(time.milliseconds))) }
        if let silence = node.silence { facts.append(("silenceSeconds", .number(silence.seconds))) }
        let time = node.roundTrip.map { " \($0.milliseconds.rounded()) ms" } ?? ""
        printer.event("node", facts, line: "    \(node.node.id) \(node.node.endpoint) \(state)\(time)")
    }

    private func searches(_ snapshot: DHT.Snapshot) {
        for search in snapshot.searches {
            printer.event(
                "search",
                [
                    ("key", .text(search.key.description)), ("family", .text(search.family.name)),
                    ("nodes", .integer(search.nodes)), ("synced", .integer(search.syncedNodes)),
                    ("operations", .integer(search.operations.count)),
                ],
                line: "\(search.key) \(search.family.name): \(search.syncedNodes) of \(search.nodes) nodes synced, "
                    + "\(search.operations.count) operations")
        }
        if snapshot.searches.isEmpty, !printer.isJSON { printer.event("", line: "no searches") }
    }

    private func storage(_ snapshot: DHT.Snapshot) {
        for shelf in snapshot.shelves {
            printer.event(
                "stored",
                [
                    ("key", .text(shelf.key.description)), ("values", .integer(shelf.values)),
                    ("bytes", .integer(shelf.bytes)),
                ], line: "\(shelf.key): \(shelf.values) values, \(shelf.bytes) bytes")
        }
        if snapshot.shelves.isEmpty, !printer.isJSON { printer.event("", line: "nothing is stored here") }
    }

    private func stats(_ snapshot: DHT.Snapshot) {
        var facts: [(String, Printer.Fact)] = [("id", .text(snapshot.nodeID.description))]
        var lines = ["node \(snapshot.nodeID)"]
        for network in snapshot.networks {
            let name = network.family.name
            facts.append(("known\(name)", .integer(network.knownNodes)))
            facts.append(("good\(name)", .integer(network.goodNodes)))
            facts.append(("size\(name)", .integer(network.estimatedSize)))
            lines.append(
                "\(name): \(network.knownNodes) nodes known, \(network.goodNodes) good, of about "
                    + "\(network.estimatedSize) in the network")
        }
        let counters = snapshot.counters
        facts += [
            ("storedKeys", .integer(snapshot.storedKeys)), ("storedValues", .integer(snapshot.storedValues)),
            ("storedBytes", .integer(snapshot.storedBytes)), ("searches", .integer(snapshot.searches.count)),
            ("operations", .integer(snapshot.operations)), ("received", .integer(counters.datagramsReceived)),
            ("ignored", .integer(counters.datagramsIgnored)), ("sent", .integer(counters.datagramsSent)),
            ("served", .integer(counters.requestsServed)), ("asked", .integer(counters.requestsSent)),
            ("repeated", .integer(counters.requestsRepeated)), ("unanswered", .integer(counters.requestsExpired)),
        ]
        lines.append(
            "\(snapshot.storedValues) values stored under \(snapshot.storedKeys) keys, \(snapshot.storedBytes) bytes of "
                + "others; \(snapshot.searches.count) searches, \(snapshot.operations) operations")
        lines.append(
            "datagrams: \(counters.datagramsReceived) received, \(counters.datagramsIgnored) ignored, "
                + "\(counters.datagramsSent) sent; requests: \(counters.requestsServed) served, "
                + "\(counters.requestsSent) asked, \(counters.requestsRepeated) repeated, "
                + "\(counters.requestsExpired) unanswered")
        printer.event("stats", facts, line: lines.joined(separator: "\n"))
    }
}
