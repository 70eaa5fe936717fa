/// Bytes that wait to be written, in one array whose front moves.
struct WriteQueue {
    private var bytes: [UInt8] = []
    private var front = 0

    var count: Int { bytes.count - front }
    var isEmpty: Bool { front == bytes.count }

    mutating func append(_ more: Span<UInt8>) {
        bytes.reserveCapacity(bytes.count + more.count)
        for index in more.indices { bytes.append(more[index]) }
    }

    /// Lends what waits to `body`.
    func withNext<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
        body(bytes.span.extracting(front..<bytes.count))
    }

    /// Forgets what was written; moves the rest once it is the smaller part, so that each byte moves a bounded number of times.
    mutating func removeFirst(_ count: Int) {
        front += count
        precondition(front <= bytes.count, "more was written than waited")
        if isEmpty {
            bytes.removeAll(keepingCapacity: bytes.capacity <= 64 << 10)
            front = 0
        } else if front > bytes.count / 2 {
            bytes.removeFirst(front)
            front = 0
        }
    }
}
