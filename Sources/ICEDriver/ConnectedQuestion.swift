internal import EventLoop
internal import SansIO
internal import SwiftICE

/// Asks a STUN server over TCP, from the very port a listener is bound to, where that port is seen (RFC 6544 §5.2).
///
/// The connection is kept after the answer, as the mapping of a NAT need not live longer. Lives on the loop's thread.
final class ConnectedQuestion {
    /// What became of the question.
    enum News {
        /// The server saw the port at this address.
        case answered(Endpoint)
        /// The connection is gone, or could not be had; the last news.
        case ended
    }

    let base: Endpoint
    let server: Endpoint
    private(set) var isAnswered = false
    private let loop: EventLoop
    private let stream: StreamSocket
    private let told: (News) -> Void
    private var request: BindingRequest
    private var deframer = TURNDeframer()
    private lazy var alarm = Alarm(on: loop) { [weak self] in
        guard let self else { return }
        perform(request.advance(to: loop.now))
    }

    /// Begins to connect; `nil` where that cannot be.
    init?(from base: Endpoint, _ request: BindingRequest, on loop: EventLoop, told: @escaping (News) -> Void) {
        var configuration = StreamSocket.Configuration()
        configuration.sharesPort = true
        guard
            let stream = try? StreamSocket(
                connectingTo: request.server, from: base, on: loop, configuration: configuration)
        else { return nil }
        (self.base, server) = (base, request.server)
        (self.loop, self.stream, self.request, self.told) = (loop, stream, request, told)
        let started: Void? = try? stream.start(
            StreamSocket.Handlers(
                connected: { [weak self] in self?.connected() },
                received: { [weak self] bytes in self?.received(bytes) },
                ended: { [weak self] in self?.end() },
                closed: { [weak self] _ in self?.end() }))
        guard started != nil else { return nil }
    }

    /// Ends the connection; nothing is told any more.
    func close() {
        alarm.set(nil)
        stream.close()
    }

    private func connected() { perform(request.start(at: loop.now)) }

    private func received(_ bytes: Span<UInt8>) {
        guard let elements = try? deframer.receive(bytes) else { return end() }
        for case .message(let message) in elements {
            perform(request.receive(message.span, from: server, at: loop.now))
        }
    }

    private func perform(_ effects: [BindingRequest.Effect]) {
        alarm.set(request.deadline)
        for effect in effects {
            switch effect {
            case .send(let bytes, _): if (try? stream.write(bytes)) == nil { return end() }
            case .answered(let mapped, _):
                isAnswered = true
                told(.answered(mapped))
            case .failed: return end()
            case .ignored: break
            }
        }
    }

    private func end() {
        close()
        told(.ended)
    }
}
