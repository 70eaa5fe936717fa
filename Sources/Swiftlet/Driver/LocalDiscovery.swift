internal import EventLoop
internal import Logging
internal import SansIO
internal import SwiftDHT

/// Finds nodes on this machine's links: carries out what a ``Discovery`` wants. Lives on the loop's thread.
///
/// Each family has a socket that hears the group, and one for each address of the DHT that speaks: answers come to the
/// latter alone, also where other programs on this machine listen to the same group.
final class LocalDiscovery {
    private let loop: EventLoop
    private let log: Logger
    private let found: (KnownNode) -> Void
    private var machine: Discovery
    private var hearing: [DatagramSocket] = []
    private var speaking: [DatagramSocket] = []
    /// The interfaces on which the groups were joined.
    private var links: [Interfaces.MulticastLink] = []
    private lazy var alarm = Alarm(on: loop) { [weak self] in
        guard let self else { return }
        perform(machine.advance(to: loop.now))
    }

    /// Prepares for a node; `nil` where all its endpoints are loopback's.
    ///
    /// - Parameters:
    ///   - endpoints: What the DHT's sockets are bound to.
    ///   - found: Takes a node that is to be pinged.
    init?(
        id: NodeID, configuration: SwiftDHT.Configuration, endpoints: [Endpoint], loop: EventLoop, log: Logger,
        found: @escaping (KnownNode) -> Void
    ) {
        let reachable = endpoints.filter { !$0.address.isLoopback }
        guard !reachable.isEmpty else { return nil }
        self.loop = loop
        self.log = log
        self.found = found
        var discovery = Discovery.Configuration()
        discovery.network = configuration.network
        discovery.announces = !configuration.isClient
        let ports = Dictionary(reachable.map { ($0.address.family, $0.port) }) { first, _ in first }
        machine = Discovery(configuration: discovery, id: id, ports: ports)
        for endpoint in reachable { open(endpoint) }
    }

    /// Begins to look for others. Where nothing can be opened the node goes on without.
    func start() {
        for socket in hearing + speaking { receive(on: socket) }
        followLinks()
    }

    func connectionChanged(of family: IPAddress.Family, isConnected: Bool) {
        perform(machine.connectionChanged(of: family, isConnected: isConnected, at: loop.now))
    }

    func close() {
        alarm.set(nil)
        for socket in hearing + speaking { socket.close() }
    }

    // MARK: - Sockets

    private func open(_ endpoint: Endpoint) {
        let group = Discovery.group(endpoint.address.family)
        do throws(Errno) {
            speaking.append(try DatagramSocket(bindingTo: endpoint.with(port: 0)))
        } catch { log.info("no socket for discovery", metadata: ["address": "\(endpoint)", "error": "\(error)"]) }
        guard !hearing.contains(where: { $0.localEndpoint.address == group.address }) else { return }
        do throws(Errno) { hearing.append(try DatagramSocket(hearing: group)) } catch {
            // Others are found all the same; they do not find us unless we speak first.
            log.info("discovery cannot listen", metadata: ["group": "\(group)", "error": "\(error)"])
        }
    }

    private func receive(on socket: DatagramSocket) {
        do throws(Errno) {
            try socket.receive(on: loop, into: loop.sharedBatch) { [weak self] bytes, peer in
                guard let self else { return }
                perform(machine.receive(bytes, from: peer, at: loop.now))
            }
        } catch { log.info("discovery is deaf", metadata: ["error": "\(error)"]) }
    }

    /// Joins the groups on the links there are now; to be called whenever they may be others than before.
    func followLinks() {
        let current = ((try? Interfaces.multicastLinks()) ?? []).filter(isOurs)
        guard current != links else { return }
        for socket in hearing {
            let group = socket.localEndpoint.address
            // One that is gone was left by the kernel; one that is there still may be joined already.
            for link in links where !current.contains(where: { $0.index == link.index }) {
                try? socket.leave(group, on: link.index)
            }
            for link in current where link.carries(group.family) { try? socket.join(group, on: link.index) }
        }
        links = current
        log.debug("discovery", metadata: ["interfaces": "\(links.map(\.name))"])
        perform(machine.start(at: loop.now))
    }

    /// Whether an interface has an address the DHT is bound to.
    private func isOurs(_ link: Interfaces.MulticastLink) -> Bool {
        speaking.contains { socket in
            let address = socket.localEndpoint.address
            return address.isUnspecified ? link.carries(address.family) : link.addresses.contains(address)
        }
    }

    // MARK: - Effects

    private func perform(_ effects: [Discovery.Effect]) {
        for effect in effects {
            switch effect {
            case .multicast(let bytes, let family): multicast(bytes, family)
            case .send(let bytes, let endpoint):
                let socket = speaking.first { $0.localEndpoint.address.family == endpoint.address.family }
                try? socket?.send(bytes, to: endpoint)
            case .found(let node):
                log.debug("neighbour found", metadata: ["endpoint": "\(node.endpoint)"])
                found(node)
            case .ignored(let reason): log.trace("discovery ignored", metadata: ["reason": "\(reason)"])
            }
        }
        alarm.set(machine.deadline)
    }

    /// A link that is just going away refuses datagrams, and loses nothing by it.
    private func multicast(_ bytes: [UInt8], _ family: IPAddress.Family) {
        for socket in speaking where socket.localEndpoint.address.family == family {
            let address = socket.localEndpoint.address
            for link in links where link.carries(family) && (address.isUnspecified || link.addresses.contains(address))
            {
                try? socket.send(bytes, toGroup: Discovery.group(family), on: link.index)
            }
        }
    }
}

extension Interfaces.MulticastLink {
    fileprivate func carries(_ family: IPAddress.Family) -> Bool { addresses.contains { $0.family == family } }
}
