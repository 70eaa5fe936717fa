internal import EventLoop
internal import Logging
internal import SansIO
public import SwiftDHT

/// Takes a census of a network, over sockets of its own; see `Crawl`.
public actor DHTCrawler {
    private let group: DHTGroup
    private let ownsGroup: Bool
    private let sockets: DHTSockets
    private var crawl: Crawl
    private let nodesInput: AsyncStream<Crawl.Node>.Continuation
    private lazy var alarm = Alarm(on: group.loop) { [weak self] in self?.assumeIsolated { $0.advance() } }
    private var isClosed = false
    private var finalSummary: Crawl.Summary?

    /// The nodes that answered, as they do; ends with the census.
    public nonisolated let nodes: AsyncStream<Crawl.Node>
    /// The hosts to begin with that have no address.
    public private(set) var unresolvedHosts: [Node.Configuration.Bootstrap] = []

    /// The crawler's thread, on which everything isolated to it runs.
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        // The loop lives as long as this crawler, which holds its group.
        unsafe group.loop.asUnownedSerialExecutor()
    }

    /// Begins a census with the hosts and remembered nodes of a node's configuration.
    public init(
        configuration: DHTNode.Configuration, crawl: Crawl.Configuration = Crawl.Configuration(),
        in group: DHTGroup? = nil
    ) async throws(NodeError) {
        (nodes, nodesInput) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(65_536))
        do throws(Errno) {
            sockets = try DHTSockets(addresses: configuration.boundAddresses, port: configuration.port)
        } catch { throw NodeError.binding(error, port: configuration.port) }
        self.group = if let group { group } else { try DHTGroup() }
        ownsGroup = group == nil
        self.crawl = Crawl(configuration: crawl, random: .system)
        do throws(Errno) {
            try sockets.start(
                on: self.group.loop, failed: { _ in },
                refused: { [weak self] endpoint in self?.assumeIsolated { $0.refused(by: endpoint) } },
                received: { [weak self] bytes, peer in
                    let copy = [UInt8](bytes)
                    self?.assumeIsolated { $0.received(copy, from: peer) }
                })
        } catch { throw NodeError(error) }
        begin(with: configuration.state?.nodes.map(\.endpoint) ?? [])
        for host in configuration.bootstrap {
            if let endpoints = await self.group.endpoints(of: host) {
                begin(with: endpoints)
            } else {
                unresolvedHosts.append(host)
            }
        }
        if configuration.bootstrap.count == unresolvedHosts.count, configuration.state?.nodes.isEmpty ?? true {
            nodesInput.finish()
        }
    }

    /// What was found so far.
    public var summary: Crawl.Summary { finalSummary ?? crawl.summary }

    /// Ends the census, finished or not.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        alarm.set(nil)
        sockets.close()
        nodesInput.finish()
        if ownsGroup { group.close() }
    }

    private func begin(with endpoints: [Endpoint]) {
        perform(crawl.start(with: endpoints, at: group.loop.now))
    }

    private func received(_ bytes: [UInt8], from peer: Endpoint) {
        perform(crawl.receive(bytes.span, from: peer, at: group.loop.now))
    }

    private func refused(by endpoint: Endpoint) {
        perform(crawl.refused(by: endpoint, at: group.loop.now))
    }

    private func advance() { perform(crawl.advance(to: group.loop.now)) }

    private func perform(_ effects: [Crawl.Effect]) {
        guard !isClosed else { return }
        for effect in effects {
            switch effect {
            case .send(let bytes, let endpoint): _ = sockets.send(bytes, to: endpoint)
            case .found(let node): nodesInput.yield(node)
            case .finished(let summary):
                finalSummary = summary
                nodesInput.finish()
            case .ignored: break
            }
        }
        alarm.set(crawl.deadline)
    }
}
