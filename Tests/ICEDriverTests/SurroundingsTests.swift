import EventLoop
import ICEDriver
import SansIO
import SwiftICE
import Testing

/// Outlets that are ready before a session wants them.
@Suite struct SurroundingsTests {
    private static let mapped = Endpoint(.v4(0xCB00_7101), port: 4567)

    private static func surroundings(on loop: EventLoop, asking server: STUNServer) -> Surroundings {
        var configuration = ICESession.Configuration()
        configuration.stunServers = [server.endpoint]
        return Surroundings(
            configuration, on: loop, batch: loop.sharedBatch, addresses: { [Endpoint(.loopback(.v4), port: 0)] },
            reserve: [(.udp, 2)])
    }

    private static func network(
        _ components: [Int], over transport: ICEAgent.Base.Transport = .udp, in surroundings: Surroundings,
        found: @escaping (ICEAgent.Finding) -> Void = { _ in }, gathered: @escaping () -> Void
    ) -> SessionNetwork {
        SessionNetwork(
            components: components, transports: [transport], in: surroundings,
            handlers: SessionNetwork.Handlers(
                found: found, gathered: gathered,
                sockets: SessionSockets.Handlers(
                    datagram: { _, _, _ in }, accept: { _, _ in nil }, connected: { _, _ in }, bytes: { _, _ in },
                    disconnected: { _ in })))
    }

    @Test func gatheringFromReadyOutletsTakesNoTime() async throws {
        let told = try await onLoop { (loop, done: @escaping ([[Int]]) -> Void) in
            let server = STUNServer(on: loop, telling: Self.mapped)
            let surroundings = Self.surroundings(on: loop, asking: server)
            surroundings.keepReady()
            loop.schedule(at: loop.now.advanced(by: .milliseconds(200))) {
                _ = server
                var (bases, mapped, isGathered) = ([Int](), [Int](), false)
                let network = Self.network([1, 2], in: surroundings) { finding in
                    switch finding {
                    case .base(let base): bases.append(base.component)
                    case .mapped(Self.mapped, let base): mapped.append(base.component)
                    default: break
                    }
                } gathered: {
                    isGathered = true
                }
                network.gather()
                done(isGathered ? [bases, mapped] : [])
                network.close()
                surroundings.close()
            }
        }
        #expect(told == [[1, 2], [1, 2]], "everything was known before the session began")
    }

    @Test func whatIsNotReadyIsWaitedFor() async throws {
        let waited = try await onLoop { (loop, done: @escaping (Bool) -> Void) in
            let server = STUNServer(on: loop, telling: Self.mapped)
            let surroundings = Self.surroundings(on: loop, asking: server)
            var isFound = false
            let network = Box<SessionNetwork?>(nil)
            network.value = Self.network([1], in: surroundings) { finding in
                if case .mapped = finding { isFound = true }
            } gathered: {
                _ = server
                done(isFound)
                network.value?.close()
                surroundings.close()
            }
            network.value?.gather()
            if isFound { done(false) }
        }
        #expect(waited)
    }

    @Test(arguments: [ICEAgent.Base.Transport.udp, .tcp])
    func sessionsFollowTheAddresses(transport: ICEAgent.Base.Transport) async throws {
        // No interface lists these, but every machine can bind them.
        let addresses = (2...4).map { Endpoint(.v4(0x7F00_0000 + $0), port: 0) }
        let findings = try await onLoop { (loop, done: @escaping ([ICEAgent.Finding]) -> Void) in
            let current = Box(Array(addresses.prefix(2)))
            let surroundings = Surroundings(
                ICESession.Configuration(), on: loop, batch: loop.sharedBatch, addresses: { current.value })
            var findings: [ICEAgent.Finding] = []
            let network = Self.network([1], over: transport, in: surroundings, found: { findings.append($0) }) {}
            network.gather()
            current.value = Array(addresses.suffix(2))
            surroundings.networkChanged()
            surroundings.networkChanged()
            done(findings)
            network.close()
            surroundings.networkChanged()
            surroundings.close()
        }
        let told = findings.map { finding -> String in
            switch finding {
            case .base(let base): "came \(base.endpoint.address)"
            case .gone(let base): "went \(base.endpoint.address)"
            default: "\(finding)"
            }
        }
        #expect(told == ["came 127.0.0.2", "came 127.0.0.3", "came 127.0.0.4", "went 127.0.0.2"])
        guard case .base(let first)? = findings.first, case .gone(let gone)? = findings.last else { return }
        #expect(first == gone && first.transport == transport)
    }

    @Test func aPermissionWithoutARelayIsRefused() async throws {
        let base = Endpoint(.loopback(.v4), port: 1)
        let finding = try await onLoop { (loop, done: @escaping (ICEAgent.Finding) -> Void) in
            let surroundings = Self.surroundings(on: loop, asking: STUNServer(on: loop, telling: Self.mapped))
            let network = Self.network([1], in: surroundings, found: done, gathered: {})
            network.permit(base.address, on: base)
            surroundings.close()
        }
        #expect(finding == .refused(base.address, on: base))
    }
}
