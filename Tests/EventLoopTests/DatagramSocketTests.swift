import SansIO
import Testing

@testable import EventLoop

@Suite("Datagram socket", .timeLimit(.minutes(20)))
struct DatagramSocketTests {
    @Test("bursts are echoed whole and unchanged", arguments: IPAddress.Family.allCases)
    func echo(family: IPAddress.Family) async throws {
        try await withLoop { loop in
            let bench = Bench(on: loop)
            let sent = (0..<100).map { pattern($0 * 10, seed: UInt64($0)) }
            let received: [[UInt8]] = try await bench.wait { done in
                let batch = DatagramBatch(slots: 8)
                let server = try DatagramSocket(bindingTo: loopback(family))
                let client = try DatagramSocket(bindingTo: loopback(family))
                let echoed = Box<[[UInt8]]>([])
                try server.receive(on: loop, into: batch, limit: 16) { bytes, source in
                    #expect(source == client.localEndpoint)
                    #expect(throws: Never.self) { try server.send([UInt8](bytes), to: source) }
                }
                try client.receive(on: loop, into: DatagramBatch(slots: 4), limit: 5) { bytes, source in
                    echoed.value.append([UInt8](bytes))
                    if echoed.value.count == sent.count { done(echoed.value) }
                }
                let datagrams = sent.map { DatagramSocket.Datagram($0, to: server.localEndpoint) }
                #expect(try client.send(datagrams, through: batch) == sent.count)
                #expect(client.counters.sent == sent.count)
                return [server, client]
            }
            #expect(received == sent)
            await bench.drop()
        }
    }

    @Test("neighbours of one length arrive one by one, whole, and at their own destinations", arguments: [false, true])
    func trains(acceptingThem: Bool) async throws {
        try await withLoop { loop in
            let bench = Bench(on: loop)
            // Trains of several lengths, cut short by a shorter one, a longer one, another destination, and too long ones.
            let lengths = [200, 200, 200, 100, 100, 100, 300, 300, 40, 1350, 1350, 1350, 1500, 1500, 0, 8]
            let sent = lengths.enumerated().map { pattern($0.element, seed: UInt64($0.offset)) }
            let received: [[[UInt8]]] = try await bench.wait { done in
                let sockets = try (0..<2).map { _ in try DatagramSocket(bindingTo: loopback(.v4)) }
                let arrived = Box<[[[UInt8]]]>([[], []])
                for (index, socket) in sockets.enumerated() {
                    if acceptingThem { socket.acceptTrains() }
                    try socket.receive(on: loop, into: DatagramBatch(slots: 8)) { bytes, _ in
                        arrived.value[index].append([UInt8](bytes))
                        if arrived.value.allSatisfy({ $0.count == sent.count }) { done(arrived.value) }
                    }
                }
                let client = try DatagramSocket(bindingTo: loopback(.v4))
                let first = sent.map { DatagramSocket.Datagram($0, to: sockets[0].localEndpoint) }
                let second = sent.map { DatagramSocket.Datagram($0, to: sockets[1].localEndpoint) }
                let batch = DatagramBatch(slots: 24)
                #expect(try client.send(first + second, through: batch) == 2 * sent.count)
                return sockets + [client]
            }
            #expect(received == [sent, sent])
        }
    }

    @Test("datagrams longer than a slot are dropped and counted; the others arrive", arguments: [false, true])
    func truncation(acceptingTrains: Bool) async throws {
        try await withLoop { loop in
            let bench = Bench(on: loop)
            let counters: DatagramSocket.Counters = try await bench.wait { done in
                let socket = try DatagramSocket(bindingTo: loopback(.v4))
                if acceptingTrains { socket.acceptTrains() }
                try socket.receive(on: loop, into: DatagramBatch(slots: 2, slotSize: 64)) { bytes, _ in
                    if bytes.count == 3 { loop.schedule(at: loop.now) { done(socket.counters) } }
                }
                for count in [64, 65, 1400, 0, 3] { try socket.send(pattern(count), to: socket.localEndpoint) }
                return [socket]
            }
            #expect(counters.received == 3)
            #expect(counters.truncated == 2)
        }
    }

    @Test("a train is not delivered further once its socket was closed")
    func closingInTheMiddleOfATrain() async throws {
        try await withLoop { loop in
            let bench = Bench(on: loop)
            let received: Int = try await bench.wait { done in
                let socket = try DatagramSocket(bindingTo: loopback(.v4))
                socket.acceptTrains()
                var count = 0
                try socket.receive(on: loop, into: DatagramBatch()) { _, _ in
                    count += 1
                    if count == 3 { socket.close() }
                    if count == 1 {
                        loop.schedule(at: loop.now.advanced(by: .milliseconds(20))) { done(count) }
                    }
                }
                let client = try DatagramSocket(bindingTo: loopback(.v4))
                let contents = (0..<10).map { pattern(100, seed: $0) }
                #expect(try client.send(contents, to: socket.localEndpoint, through: DatagramBatch()) == 10)
                return [socket, client]
            }
            #expect(received == 3)
        }
    }

    @Test("a report that nobody listens is swallowed and counted")
    func refusal() async throws {
        try await withLoop { loop in
            let bench = Bench(on: loop)
            try await bench.run {
                let target = try DatagramSocket(bindingTo: loopback(.v4))
                let socket = try DatagramSocket(bindingTo: loopback(.v4))
                try socket.connect(to: target.localEndpoint)
                target.close()
                try socket.send([1], to: target.localEndpoint)
                let count = try socket.receiveBatch(into: DatagramBatch()) { _, _ in Issue.record("nothing was sent") }
                #expect(count <= 1)
                #expect(socket.counters.softErrors == 1)
            }
        }
    }

    @Test(
        "who asks is told which destination nobody listens at, and loses nothing sent elsewhere",
        arguments: IPAddress.Family.allCases)
    func refusalsByDestination(family: IPAddress.Family) async throws {
        try await withLoop { loop in
            let bench = Bench(on: loop)
            let endpoints: [[Endpoint]] = try await bench.wait { done in
                let closed = try (0..<3).map { _ in try DatagramSocket(bindingTo: loopback(family)) }
                let expected = closed.map(\.localEndpoint)
                for socket in closed { socket.close() }
                let living = try DatagramSocket(bindingTo: loopback(family))
                let socket = try DatagramSocket(bindingTo: loopback(family))
                let (told, heard) = (Box<[Endpoint]>([]), Box(0))
                let finish = { if told.value.count == 3, heard.value == 6 { done([expected, told.value]) } }
                try living.receive(on: loop, into: DatagramBatch()) { _, _ in
                    heard.value += 1
                    finish()
                }
                try socket.receive(
                    on: loop, into: DatagramBatch(),
                    refused: { destination in
                        told.value.append(destination)
                        finish()
                    }, failed: { Issue.record("\($0)") },
                    { _, _ in Issue.record("nothing was sent here") })
                // Each report that comes between two datagrams would cost the second one.
                for destination in expected {
                    try socket.send([1], to: destination)
                    try socket.send([2], to: living.localEndpoint)
                    let both = [DatagramSocket.Datagram([3], to: living.localEndpoint)]
                    #expect(try socket.send(both, through: DatagramBatch(slots: 2)) == 1)
                }
                return [socket, living]
            }
            #expect(Set(endpoints[0]) == Set(endpoints[1]) && endpoints[1].count == 3)
        }
    }

    @Test("one call fetches no more than its limit")
    func limit() async throws {
        try await withLoop { loop in
            try await Bench(on: loop).run {
                let socket = try DatagramSocket(bindingTo: loopback(.v4))
                for index in 0..<10 { try socket.send([UInt8(index)], to: socket.localEndpoint) }
                var seen: [UInt8] = []
                let batch = DatagramBatch(slots: 3)
                #expect(try socket.receiveBatch(into: batch, limit: 4) { bytes, _ in seen.append(bytes[0]) } == 4)
                #expect(seen == [0, 1, 2, 3])
                #expect(try socket.receiveBatch(into: batch) { bytes, _ in seen.append(bytes[0]) } == 6)
                #expect(seen == Array(0..<10))
                #expect(try socket.receiveBatch(into: batch) { _, _ in } == 0)
            }
        }
    }

    @Test("closing inside the handler stops the rest of the batch")
    func closingInside() async throws {
        try await withLoop { loop in
            try await Bench(on: loop).run {
                let socket = try DatagramSocket(bindingTo: loopback(.v4))
                for _ in 0..<5 { try socket.send([7], to: socket.localEndpoint) }
                var seen = 0
                _ = try socket.receiveBatch(into: DatagramBatch()) { _, _ in
                    seen += 1
                    socket.close()
                }
                #expect(seen == 1)
                #expect(throws: Errno.badDescriptor) { try socket.send([1], to: socket.localEndpoint) }
            }
        }
    }

    @Test("a dual-stack socket shows IPv4 peers as IPv4; the others refuse the wrong family")
    func families() async throws {
        try await withLoop { loop in
            try await Bench(on: loop).run {
                let both = try DatagramSocket(bindingTo: Endpoint(.unspecified(.v6), port: 0), dualStack: true)
                let v4 = try DatagramSocket(bindingTo: loopback(.v4))
                let target = Endpoint(.loopback(.v4), port: both.localEndpoint.port)
                try v4.send([1, 2], to: target)
                var source: Endpoint?
                #expect(try both.receiveBatch(into: DatagramBatch()) { _, from in source = from } == 1)
                #expect(source == v4.localEndpoint)
                try both.send([3], to: v4.localEndpoint)
                #expect(try v4.receiveBatch(into: DatagramBatch()) { _, from in source = from } == 1)
                #expect(source == target)
                #expect(throws: Errno.familyNotSupported) { try v4.send([1], to: loopback(.v6)) }
            }
        }
    }

    @Test("too long a datagram, a taken port and a foreign address are errors")
    func errors() async throws {
        try await withLoop { loop in
            try await Bench(on: loop).run {
                let socket = try DatagramSocket(bindingTo: loopback(.v4))
                let long = DatagramSocket.Datagram(pattern(100), to: socket.localEndpoint)
                let batch = DatagramBatch(slots: 2, slotSize: 50)
                #expect(throws: Errno.messageTooLong) { try socket.send([long], through: batch) }
                #expect(throws: Errno.messageTooLong) { try socket.send(pattern(70000), to: socket.localEndpoint) }
                #expect(throws: Errno.addressInUse) { try DatagramSocket(bindingTo: socket.localEndpoint) }
                #expect(throws: Errno.addressNotAvailable) {
                    try DatagramSocket(bindingTo: Endpoint(.v4(0x0808_0808), port: 0))
                }
                try socket.requestBuffers(receive: 1 << 20, send: 1 << 18)
            }
        }
    }
}
