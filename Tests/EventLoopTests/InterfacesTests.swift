import Foundation
import SansIO
import Testing

@testable import EventLoop

@Suite("Interfaces")
struct InterfacesTests {
    private func address(
        _ text: String, _ interface: String = "eth0", scope: UInt32 = 0, temporary: Bool = false,
        link: Interfaces.Link? = nil
    ) throws -> Interfaces.Address {
        Interfaces.Address(
            interface: interface, endpoint: Endpoint(try #require(IPAddress(text)), port: 0, scope: scope),
            link: link ?? Interfaces.Link(interface: interface), isTemporary: temporary)
    }

    private func order(_ all: [Interfaces.Address], _ options: Interfaces.Options = [], limit: Int = 8) -> [String] {
        Interfaces.order(all, options, limit: limit).map { $0.endpoint.address.description }
    }

    @Test("families take turns; tunnels, bridges, link-local addresses follow; loopback on request only")
    func ordering() throws {
        let all = [
            try address("127.0.0.1", "lo", link: .loopback), try address("172.17.0.1", "docker0"),
            try address("fe80::1", scope: 2), try address("10.8.0.2", "tun0"), try address("192.0.2.5"),
            try address("2001:db8::5"), try address("192.0.2.6"),
        ]
        let expected = ["2001:db8::5", "192.0.2.5", "192.0.2.6", "10.8.0.2", "172.17.0.1", "fe80::1"]
        #expect(order(all) == expected)
        #expect(order(all, .loopbackToo) == expected + ["127.0.0.1"])
        #expect(order(all, limit: 2) == ["2001:db8::5", "192.0.2.5"])
        #expect(order(all, limit: -1) == [])
    }

    @Test("useless addresses are left out")
    func useless() throws {
        let all = try ["0.0.0.0", "224.0.0.1", "::", "ff02::1", "fec0::1", "::192.0.2.1", "::ffff:192.0.2.1"].map {
            try address($0)
        }
        #expect(order(all) == [])
    }

    @Test("a temporary address replaces the permanent one of its prefix on its interface")
    func temporary() throws {
        let all = [
            try address("2001:db8::1"), try address("2001:db8::abcd", temporary: true), try address("2001:db8:0:1::1"),
            try address("2001:db8::2", "eth1"),
        ]
        #expect(order(all) == ["2001:db8::abcd", "2001:db8:0:1::1", "2001:db8::2"])
    }

    @Test("this machine has a loopback interface, and the list obeys its rules")
    func machine() throws {
        let all = try Interfaces.addresses(.loopbackToo)
        #expect(all.contains { $0.endpoint.address.isLoopback } || all.count == Interfaces.limit)
        #expect(all.count <= Interfaces.limit)
        for address in all {
            #expect(address.endpoint.port == 0)
            #expect(
                (address.endpoint.scope != 0)
                    == (address.endpoint.address.isLinkLocal && address.endpoint.address.family == .v6))
        }
        #expect(try Interfaces.addresses().allSatisfy { !$0.endpoint.address.isLoopback })
    }

    @Test("every listed address can be bound and reached from itself, link-local ones by their scope")
    func usability() throws {
        for address in try Interfaces.addresses(.loopbackToo) {
            let socket = try DatagramSocket(bindingTo: address.endpoint)
            #expect(socket.localEndpoint.with(port: 0) == address.endpoint)
            try socket.send([1], to: socket.localEndpoint)
            var source: Endpoint?
            _ = try socket.receiveBatch(into: DatagramBatch()) { _, from in source = from }
            #expect(source == socket.localEndpoint)
        }
    }

    @Test("lines of the kernel's address table")
    func states() throws {
        let line = Array("fe80000000000000000000fffe000001 02 40 20 80     eth0".utf8)
        let state = try #require(AddressState(line: line[...]))
        #expect(state.isUsable && !state.isTemporary)
        #expect(state.matches(try address("fe80::ff:fe00:1", scope: 2)))
        #expect(!state.matches(try address("fe80::ff:fe00:1", "eth1")))
        for (flags, usable, temporary) in [("20", false, false), ("01", true, true), ("41", false, true)] {
            let line = Array("fd000000000000000000000000000002 02 40 00 \(flags) eth0".utf8)
            let state = try #require(AddressState(line: line[...]))
            #expect(state.isUsable == usable)
            #expect(state.isTemporary == temporary)
        }
        for bad in ["", "fe80 02 40 20 80 eth0", "fe80000000000000000000fffe000001 02 40 20 zz eth0"] {
            #expect(AddressState(line: Array(bad.utf8)[...]) == nil)
        }
    }

    @Test("errors have names and texts")
    func errors() {
        #expect(Errno.connectionRefused.description == "ECONNREFUSED (Connection refused)")
        #expect(Errno(rawValue: 99_999).description == "errno 99999")
    }
}
