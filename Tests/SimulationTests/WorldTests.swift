import SansIO
import Simulator
import Testing

/// The network itself: what it promises of datagrams and connections.
@Suite struct WorldTests {
    /// A host without a will.
    final class Place: Host {
        let name: String
        let addresses: [IPAddress]
        let deadline: Instant? = nil

        init(_ number: UInt32) {
            name = "place \(number)"
            addresses = [.v4(number)]
        }

        func advance(to now: Instant) {}
    }

    /// A host whose deadline never moves.
    final class Restless: Host {
        let name = "restless"
        let addresses: [IPAddress] = [.v4(99)]
        let deadline: Instant? = .zero

        func advance(to now: Instant) {}
    }

    /// What a connection's ends saw.
    final class Log {
        var bytes: [UInt8] = []
        var isConnected = false
        var ends = 0
        var stream: ByteStream?

        func handlers() -> ByteStream.Handlers {
            ByteStream.Handlers(
                connected: { self.isConnected = true }, received: { self.bytes += $0 }, ended: { self.ends += 1 })
        }
    }

    private let left = Place(1)
    private let right = Place(2)
    private let listener = Endpoint(.v4(2), port: 80)

    private func world(seed: UInt64 = 1, _ link: Link = Link()) -> (World, HostID, HostID) {
        let world = World(seed: seed)
        world.link = link
        return (world, world.add(left), world.add(right))
    }

    /// A world with a connection, and what both ends saw.
    private func connected(seed: UInt64, _ link: Link) -> (World, near: Log, far: Log) {
        let (world, _, _) = world(seed: seed, link)
        let (near, far) = (Log(), Log())
        _ = world.listen(listener) { stream in
            far.stream = stream
            stream.start(far.handlers())
        }
        near.stream = world.connect(from: Endpoint(.v4(1), port: 0), to: listener)
        near.stream?.start(near.handlers())
        world.run(for: .seconds(40))
        return (world, near, far)
    }

    @Test(arguments: UInt64(1)...20) func connectionsKeepOrderWhateverIsLost(seed: UInt64) {
        let lossy = Link(delay: .milliseconds(1)...(.milliseconds(50)), jitter: .milliseconds(50), lossPercent: 20)
        let (world, near, far) = connected(seed: seed, lossy)
        #expect(near.isConnected)
        for byte in UInt8(0)..<100 { near.stream?.write([byte, byte]) }
        far.stream?.write([1, 2, 3])
        world.run(for: .seconds(60))
        near.stream?.close()
        world.run(for: .seconds(60))
        #expect(near.bytes == [1, 2, 3])
        #expect(far.bytes == (UInt8(0)..<100).flatMap { [$0, $0] })
        #expect(far.ends == 1)
        #expect(near.ends == 0, "who closes is not told so")
    }

    @Test func whereNobodyListensConnectionsAreRefused() {
        let (world, _, _) = world()
        let log = Log()
        let stream = world.connect(from: Endpoint(.v4(1), port: 0), to: listener)
        stream?.start(log.handlers())
        world.run(for: .seconds(1))
        #expect(log.ends == 1 && !log.isConnected)
    }

    @Test func writingToAPeerThatLeftBreaksTheConnection() {
        let (world, near, far) = connected(seed: 1, Link())
        far.stream?.close()
        near.stream?.write([1])
        world.run(for: .seconds(1))
        #expect(near.ends == 1)
        #expect(far.bytes.isEmpty)
    }

    @Test func aCutLosesDatagramsAndDelaysConnections() {
        let (world, near, far) = connected(seed: 1, Link())
        var received: [UInt8] = []
        let port = world.bind(Endpoint(.v4(2), port: 0)) { bytes, _ in received += bytes }
        world.setReachable(false, HostID(rawValue: 1))
        world.send([1], from: Endpoint(.v4(1), port: 9), to: port ?? listener)
        near.stream?.write([7])
        world.run(for: .seconds(1))
        #expect(received.isEmpty && far.bytes.isEmpty)
        world.setReachable(true, HostID(rawValue: 1))
        world.send([2], from: Endpoint(.v4(1), port: 9), to: port ?? listener)
        world.run(for: .seconds(5))
        #expect(received == [2])
        #expect(far.bytes == [7])
    }

    @Test func aLongCutBreaksConnections() {
        let (world, near, _) = connected(seed: 1, Link())
        world.setCut(true, between: HostID(rawValue: 0), and: HostID(rawValue: 1))
        near.stream?.write([7])
        world.run(for: .seconds(120))
        #expect(near.ends == 1)
    }

    @Test func datagramsAreLostDoubledAndReordered() {
        let (world, _, _) = world(seed: 5, Link(jitter: .milliseconds(20), lossPercent: 10, duplicatePercent: 10))
        var received: [UInt8] = []
        let port = world.bind(Endpoint(.v4(2), port: 0)) { bytes, _ in received += bytes }
        for byte in UInt8(0)..<200 {
            world.send([byte], from: Endpoint(.v4(1), port: 9), to: port ?? listener)
            world.run(for: .milliseconds(1))
        }
        world.run(for: .seconds(1))
        let distinct = Set(received).count
        #expect((160..<200).contains(distinct), "about a tenth is lost")
        #expect(received.count > distinct, "some come twice")
        #expect(received != received.sorted(), "and not in order")
    }

    @Test func aPortIsTakenOnce() {
        let (world, _, _) = world()
        #expect(world.bind(listener) { _, _ in } == listener)
        #expect(world.bind(listener) { _, _ in } == nil)
        world.unbind(listener)
        #expect(world.bind(listener) { _, _ in } == listener)
        #expect(world.bind(Endpoint(.v4(77), port: 0)) { _, _ in } == nil, "an address of nobody")
    }

    @Test func aTimerThatDoesNotMoveIsABrokenRule() {
        let (world, _, _) = world()
        world.attend(to: world.add(Restless()))
        world.run(for: .seconds(1))
        #expect(world.violations == ["restless is busy without getting on"])
    }
}
