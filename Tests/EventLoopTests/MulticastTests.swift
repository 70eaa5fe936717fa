import EventLoop
import SansIO
import Testing

/// Over the loopback interface, which carries multicast when asked to by number.
@Suite("Multicast")
struct MulticastTests {
    private static let loopback: UInt32 = 1
    private static let group = IPAddress.v4(0xEFFF_0107)

    /// What arrived on the loop's thread.
    private struct Arrival: Hashable, Sendable {
        let bytes: [UInt8]
        let listener: Int
    }

    @Test("Everybody who joined a group on a shared port hears what is sent to it, others do not")
    func sharedGroup() async throws {
        let loop = try EventLoop()
        defer { loop.shutdown() }
        let (arrivals, input) = AsyncStream<Arrival>.makeStream()
        let (failures, failureInput) = AsyncStream<Errno>.makeStream()
        loop.execute {
            do throws(Errno) {
                // Bound by one socket first, to find a port that is free.
                let probe = try DatagramSocket(bindingTo: Endpoint(.loopback(.v4), port: 0))
                let group = Endpoint(Self.group, port: probe.localEndpoint.port)
                probe.close()
                for listener in 0..<3 {
                    let socket = try DatagramSocket(hearing: group)
                    // The last one is bound, but has not joined.
                    if listener < 2 { try socket.join(group.address, on: Self.loopback) }
                    try socket.receive(on: loop, into: loop.sharedBatch) { bytes, _ in
                        var copy: [UInt8] = []
                        for index in bytes.indices { copy.append(bytes[index]) }
                        input.yield(Arrival(bytes: copy, listener: listener))
                        // Captured so that it lives as long as the loop.
                        _ = socket
                    }
                }
                let sender = try DatagramSocket(bindingTo: Endpoint(.unspecified(.v4), port: 0))
                try sender.send([1, 2, 3], toGroup: group, on: Self.loopback)
                // The first is delivered before the second, so whoever hears nothing by then never will.
                try sender.send([4], toGroup: group, on: Self.loopback)
            } catch { failureInput.yield(error) }
            failureInput.finish()
        }
        for await failure in failures { throw failure }
        var heard: Set<Arrival> = []
        for await arrival in arrivals {
            heard.insert(arrival)
            if heard.count == 4 { break }
        }
        #expect(heard.filter { $0.listener == 2 }.isEmpty)
        #expect(heard.filter { $0.bytes == [1, 2, 3] }.count == 2)
    }

    @Test("A group is joined once an interface, and left once")
    func membership() throws {
        let socket = try DatagramSocket(hearing: Endpoint(Self.group, port: 0))
        try socket.join(Self.group, on: Self.loopback)
        #expect(throws: Errno.addressInUse) { try socket.join(Self.group, on: Self.loopback) }
        try socket.leave(Self.group, on: Self.loopback)
        #expect(throws: Errno.addressNotAvailable) { try socket.leave(Self.group, on: Self.loopback) }
        socket.close()
        #expect(throws: Errno.badDescriptor) { try socket.join(Self.group, on: Self.loopback) }
    }

    @Test("Interfaces are listed once, with their addresses, loopback not among them")
    func links() throws {
        let links = try Interfaces.multicastLinks()
        #expect(Set(links.map(\.index)).count == links.count && links.count <= Interfaces.multicastLinkLimit)
        for link in links { #expect(link.index != Self.loopback && !link.addresses.isEmpty, "\(link)") }
    }
}
