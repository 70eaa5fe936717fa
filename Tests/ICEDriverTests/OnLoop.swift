import EventLoop
import SansIO
import SwiftICE

/// Answers every Binding request with the same address.
final class STUNServer {
    let endpoint: Endpoint
    private let socket: DatagramSocket?

    init(on loop: EventLoop, telling mapped: Endpoint) {
        let socket = try? DatagramSocket(bindingTo: Endpoint(.loopback(.v4), port: 0))
        self.socket = socket
        endpoint = socket?.localEndpoint ?? mapped
        try? socket?.receive(on: loop, into: DatagramBatch()) { [weak socket] bytes, peer in
            guard let request = try? Message(bytes) else { return }
            var builder = MessageBuilder(.success, .binding, request.transaction)
            builder.add(.xorAddress(.xorMappedAddress, mapped))
            try? socket?.send(builder.finishedWithFingerprint(), to: peer)
        }
    }
}

/// Answers the first message of each connection, which must be a Binding request, with the same address.
final class StreamSTUNServer {
    private(set) var endpoint: Endpoint
    /// Where the last connection came from.
    private(set) var source: Endpoint?
    private var listener: StreamListener?
    private var streams: [StreamSocket] = []

    init(on loop: EventLoop, telling mapped: Endpoint) {
        endpoint = mapped
        let place = Endpoint(.loopback(.v4), port: 0)
        listener = try? StreamListener(bindingTo: place, on: loop) { [unowned self] stream in
            source = stream.remoteEndpoint
            streams.append(stream)
            try? stream.start(
                StreamSocket.Handlers(
                    received: { [unowned stream] bytes in
                        guard let request = try? Message(bytes) else { return }
                        var builder = MessageBuilder(.success, .binding, request.transaction)
                        builder.add(.xorAddress(.xorMappedAddress, mapped))
                        try? stream.write(builder.finishedWithFingerprint())
                    }, closed: { _ in }))
        }
        endpoint = listener?.localEndpoint ?? mapped
    }
}

final class Box<Value> {
    var value: Value
    init(_ value: Value) { self.value = value }
}

/// Runs `body` on a loop's thread until it calls its second argument, then ends the loop.
func onLoop<Value: Sendable>(
    _ body: @escaping @Sendable (EventLoop, @escaping (Value) -> Void) -> Void
) async throws -> Value {
    let loop = try EventLoop()
    let value = await withCheckedContinuation { continuation in
        loop.execute {
            var isDone = false
            body(loop) { value in
                guard !isDone else { return }
                isDone = true
                continuation.resume(returning: value)
            }
        }
    }
    loop.shutdown()
    return value
}
