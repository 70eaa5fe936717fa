import EventLoop
import SansIO

/// What the kernel calls alone cost: the same datagrams between two plain sockets, with neither a loop nor a session.
struct BareSockets {
    private let sender: DatagramSocket
    private let receiver: DatagramSocket
    private let batch = DatagramBatch(slots: 64)

    init(at address: Endpoint, buffer: Int) throws(Errno) {
        sender = try DatagramSocket(bindingTo: address.with(port: 0))
        receiver = try DatagramSocket(bindingTo: address.with(port: 0))
        try sender.requestBuffers(receive: buffer, send: buffer)
        try receiver.requestBuffers(receive: buffer, send: buffer)
    }

    /// Sends `burst` datagrams and fetches what arrived, again and again; returns how many arrived.
    func exchange(_ content: [UInt8], burst: Int, until end: Instant, on loop: EventLoop) throws(Errno) -> Int {
        let datagram = DatagramSocket.Datagram(content, to: receiver.localEndpoint)
        let datagrams = Array(repeating: datagram, count: burst)
        var received = 0
        while loop.now < end {
            _ = try sender.send(datagrams, through: batch)
            _ = try receiver.receiveBatch(into: batch) { _, _ in received += 1 }
        }
        return received
    }
}
