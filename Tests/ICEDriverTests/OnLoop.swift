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
