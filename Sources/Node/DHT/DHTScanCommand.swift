import ArgumentParser
import SansIO
import SwiftDHT
import Swiftlet

/// `swiftlet dht scan`.
struct DHTScanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scan", abstract: "Find every node of a network, its software and its round-trip time.",
        discussion: "Asks at a pace that nobody feels, and as a client, which nobody lists. Ctrl-C ends it early.")

    @OptionGroup var options: DHTOptions
    @Option(help: "Requests a second, to all nodes together.") var rate = Crawl.Configuration().requestsPerSecond
    @Option(help: "How many addresses are asked at most.") var limit = Crawl.Configuration().nodeLimit

    func validate() throws {
        guard (1...10_000).contains(rate) else { throw ValidationError("--rate takes 1 to 10000 requests a second") }
        guard (1...1_000_000).contains(limit) else { throw ValidationError("--limit takes 1 to 1000000 addresses") }
        if options.place.hosts.isEmpty, options.state == nil {
            throw ValidationError("a scan needs somebody to ask first; name a host with --bootstrap, or a --state")
        }
    }

    func run() async throws {
        try await options.output.run {
            var crawl = Crawl.Configuration()
            crawl.network = options.network
            crawl.requestsPerSecond = rate
            crawl.nodeLimit = limit
            var configuration = options.configuration()
            configuration.state = try options.stateFile?.read()
            let interruptions = Interruption.stream()
            options.place.noteJoining(options.printer)
            let crawler: DHTCrawler
            do throws(NodeError) {
                crawler = try await DHTCrawler(configuration: configuration, crawl: crawl)
            } catch { throw Failure(error) }
            let giveUp = Task {
                for await _ in interruptions { await crawler.close() }
            }
            let agents = await follow(crawler)
            giveUp.cancel()
            let summary = await crawler.summary
            let unresolved = await crawler.unresolvedHosts
            await crawler.close()
            guard summary.answering > 0 else {
                throw Failure(offline: configuration.bootstrap, unresolved: unresolved)
            }
            tell(agents, summary)
        }
    }

    /// Prints nodes as they are found; returns how many of each software, in the order they were met.
    private func follow(_ crawler: DHTCrawler) async -> [(agent: String, count: Int)] {
        var agents: [(agent: String, count: Int)] = []
        for await found in crawler.nodes {
            show(found)
            if let index = agents.firstIndex(where: { $0.agent == found.agent }) {
                agents[index].count += 1
            } else if agents.count < Self.agentLimit {
                agents.append((found.agent, 1))
            }
        }
        return agents
    }

    /// How many kinds of software are told apart: nodes may call themselves anything.
    private static let agentLimit = 256

    private func show(_ found: Crawl.Node) {
        let endpoint = found.node.endpoint
        var facts: [(String, Printer.Fact)] = [
            ("id", .text(found.node.id.description)), ("family", .text(endpoint.address.family.name)),
            ("endpoint", .text(endpoint.description)), ("agent", .text(found.agent)),
        ]
        if let time = found.roundTrip { facts.append(("rttMs", .number(time.milliseconds))) }
        let time = found.roundTrip.map { "\(Int($0.milliseconds.rounded())) ms" } ?? ""
        options.printer.event(
            "node", facts,
            line: "\(found.node.id) \(endpoint) \(Printer.printable(found.agent)) \(time)")
    }

    private func tell(_ agents: [(agent: String, count: Int)], _ summary: Crawl.Summary) {
        for (agent, count) in agents.sorted(by: { ($1.count, $0.agent) < ($0.count, $1.agent) }) {
            options.printer.event(
                "software", [("agent", .text(agent)), ("nodes", .integer(count))],
                line: "\(agent.isEmpty ? "(nameless)" : Printer.printable(agent)): \(count)")
        }
        var facts: [(String, Printer.Fact)] = [
            ("answering", .integer(summary.answering)), ("silent", .integer(summary.silent)),
            ("unasked", .integer(summary.unasked)), ("requests", .integer(summary.requests)),
        ]
        var line = "\(summary.answering) addresses answered, \(summary.silent) did not"
        for family in IPAddress.Family.allCases {
            guard let estimate = summary.estimate[family] else { continue }
            facts.append(("estimate\(family.name)", .integer(Int(estimate.rounded()))))
            line += "; about \(Int(estimate.rounded())) nodes over \(family.name) by how close together they lie"
        }
        options.printer.event("scanned", facts, line: line)
    }
}
