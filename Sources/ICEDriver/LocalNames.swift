internal import EventLoop
internal import SansIO
internal import SwiftICE

/// Asks the links of this machine for the hosts of `.local` names, as a ``LocalNameResolver`` decides, and tells them names
/// of ours, as a ``LocalNameResponder`` does. Loop thread only.
final class LocalNames {
    private let loop: EventLoop
    private let batch: DatagramBatch
    private let resolved: (String, [IPAddress]) -> Void
    private var resolver = LocalNameResolver(random: .system)
    private var responder = LocalNameResponder(random: .system)
    /// Opened when a name is asked for, one a family that the machine has.
    private var sockets: [(family: IPAddress.Family, socket: DatagramSocket)] = []
    /// What everybody hears, and where our names are told from. Another program may keep the port to itself; answers to us
    /// alone need none of these.
    private var listeners: [DatagramSocket] = []
    private lazy var alarm = Alarm(on: loop) { [weak self] in
        guard let self else { return }
        perform(resolver.advance(to: loop.now))
        perform(responder.advance(to: loop.now))
    }

    init(on loop: EventLoop, batch: DatagramBatch, resolved: @escaping (String, [IPAddress]) -> Void) {
        self.loop = loop
        self.batch = batch
        self.resolved = resolved
    }

    /// Asks for a name; the answer comes later, in any case.
    func resolve(_ name: String) {
        if sockets.isEmpty { open() }
        let effects = resolver.resolve(name, at: loop.now)
        loop.schedule(at: loop.now) { [weak self] in self?.perform(effects) }
    }

    /// The name of an address of ours; `nil` when there are too many.
    func publish(_ address: IPAddress) -> String? {
        if sockets.isEmpty { open() }
        let (name, effects) = responder.publish(address, at: loop.now)
        perform(effects)
        return name
    }

    /// Takes the name of an address back.
    func withdraw(_ address: IPAddress) { perform(responder.withdraw(address)) }

    func close() {
        perform(responder.close())
        alarm.set(nil)
        for socket in sockets.map(\.socket) + listeners { socket.close() }
        (sockets, listeners) = ([], [])
    }

    private func open() {
        for family in IPAddress.Family.allCases {
            if let socket = try? DatagramSocket(bindingTo: Endpoint(.unspecified(family), port: 0)),
                hear(socket, toGroup: false)
            {
                sockets.append((family, socket))
            }
            let group = LocalNameResolver.group(family)
            guard let listener = try? DatagramSocket(hearing: group), hear(listener, toGroup: true) else { continue }
            for link in links { try? listener.join(group.address, on: link.index) }
            listeners.append(listener)
        }
    }

    private var links: [Interfaces.MulticastLink] { (try? Interfaces.multicastLinks()) ?? [] }

    private func hear(_ socket: DatagramSocket, toGroup: Bool) -> Bool {
        let received: (Span<UInt8>, Endpoint) -> Void = { [weak self] bytes, source in
            guard let self else { return }
            perform(resolver.receive(bytes, toGroup: toGroup, at: loop.now))
            if toGroup { perform(responder.receive(bytes, from: source, at: loop.now)) }
        }
        return (try? socket.receive(on: loop, into: batch, received)) != nil
    }

    private func perform(_ effects: [LocalNameResolver.Effect]) {
        for effect in effects {
            switch effect {
            case .send(let bytes): ask(bytes)
            case .resolved(let name, let addresses): resolved(name, addresses)
            case .ignored: break
            }
        }
        setAlarm()
    }

    private func perform(_ effects: [LocalNameResponder.Effect]) {
        for effect in effects {
            switch effect {
            case .tell(let bytes, let address): tell(bytes, about: address)
            case .answer(let bytes, let host):
                // Who asks again is answered again.
                try? listeners.first { $0.localEndpoint.address.family == host.address.family }?.send(bytes, to: host)
            case .ignored: break
            }
        }
        setAlarm()
    }

    private func setAlarm() { alarm.set([resolver.deadline, responder.deadline].compactMap(\.self).min()) }

    private func tell(_ bytes: [UInt8], about address: IPAddress) {
        for link in links where link.addresses.contains(address) {
            for listener in listeners {
                // As with questions, a link may lack the family.
                let group = LocalNameResolver.group(listener.localEndpoint.address.family)
                try? listener.send(bytes, toGroup: group, on: link.index)
            }
        }
    }

    private func ask(_ bytes: [UInt8]) {
        for link in links {
            for (family, socket) in sockets {
                // A link without this family refuses, and another one may have the host.
                try? socket.send(bytes, toGroup: LocalNameResolver.group(family), on: link.index)
            }
        }
    }
}
