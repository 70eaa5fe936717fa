internal import EventLoop
internal import SansIO

/// The thread that many ``DHTNode``s of one process share: all their sockets, timers and protocols run on it.
///
/// A node costs its sockets and what it knows; threads for names and private keys start when the first is needed, and
/// serve all. Close the nodes first, then the group.
public final class DHTGroup: Sendable {
    let loop: EventLoop
    private let resolver = Locked(Resolver?.none)
    private let worker = Locked(Worker?.none)

    /// Starts the thread.
    public init() throws(NodeError) {
        do throws(Errno) {
            var configuration = EventLoop.Configuration()
            configuration.name = "dht"
            loop = try EventLoop(configuration)
        } catch { throw NodeError(error) }
    }

    /// Ends the thread. Nodes that still run fall silent.
    public func close() {
        resolver.with { $0?.shutdown() }
        worker.with { $0?.shutdown() }
        loop.shutdown()
    }

    /// The addresses of a host; `nil` when it has none. Numeric ones need no thread.
    func endpoints(of host: Node.Configuration.Bootstrap) async -> [Endpoint]? {
        if let address = IPAddress(host.host) { return [Endpoint(address, port: host.port)] }
        return try? await sharedResolver()?.resolve(host.host, port: host.port)
    }

    /// Runs `work` on a thread for keys, and `completion` on the loop's, with `nil` when it could not be done.
    func run<Value: Sendable>(
        _ work: @escaping @Sendable () -> Value, completion: @escaping (Value?) -> Void
    ) {
        guard let worker = sharedWorker() else { return completion(nil) }
        worker.run(work) { completion(try? $0.get()) }
    }

    private func sharedWorker() -> Worker? {
        worker.with { worker in
            if worker == nil {
                var configuration = Worker.Configuration()
                configuration.name = "dht keys"
                configuration.threads = 1
                configuration.queueLimit = Self.workLimit
                worker = try? Worker(for: loop, configuration)
            }
            return worker
        }
    }

    /// Pieces of work that may wait for the thread, of all nodes together.
    private static let workLimit = 4096

    private func sharedResolver() -> Resolver? {
        resolver.with { resolver in
            if resolver == nil { resolver = try? Resolver(for: loop) }
            return resolver
        }
    }
}
