internal import CLinux
internal import Glibc
public import SansIO

/// A UDP socket bound to one local address. Loop thread only once it receives on a loop.
public final class DatagramSocket {
    /// What happened on a socket besides delivery.
    public struct Counters: Hashable, Sendable {
        /// Datagrams handed to the handler.
        public var received = 0
        /// Datagrams the kernel took.
        public var sent = 0
        /// Datagrams longer than a slot of the batch, dropped.
        public var truncated = 0
        /// Errors that concern one past datagram only (ICMP reports), swallowed.
        public var softErrors = 0
        /// Datagrams not sent because the kernel's queue was full.
        public var congested = 0
    }

    /// One datagram to send.
    public struct Datagram: Hashable, Sendable {
        /// The content.
        public var bytes: [UInt8]
        /// The destination.
        public var destination: Endpoint

        /// Joins content and destination.
        public init(_ bytes: [UInt8], to destination: Endpoint) {
            self.bytes = bytes
            self.destination = destination
        }
    }

    /// The address the socket is bound to, with the port the kernel chose.
    public let localEndpoint: Endpoint
    /// What happened so far.
    public private(set) var counters = Counters()

    var descriptor: Descriptor?
    private var acceptsTrains = false
    /// Whether the kernel keeps reports for ``takeReports(limit:_:)``, and then fails a call of ours for each.
    private var keepsReports = false
    private var attachment: (loop: EventLoop, registration: EventLoop.Registration)?

    /// Binds a socket.
    ///
    /// - Parameters:
    ///   - endpoint: The local address; port 0 lets the kernel choose. A link-local IPv6 address needs its scope.
    ///   - dualStack: Whether an IPv6 socket takes IPv4 traffic too; its sources then appear as IPv4.
    ///   - sharesPort: Whether other sockets that share it too may be bound to the same port.
    public init(bindingTo endpoint: Endpoint, dualStack: Bool = false, sharesPort: Bool = false) throws(Errno) {
        let descriptor = try Descriptor.datagramSocket(endpoint.address.family)
        if sharesPort { try descriptor.set(SO_REUSEADDR, at: SOL_SOCKET, to: 1) }
        try descriptor.bind(to: endpoint, dualStack: dualStack)
        localEndpoint = try descriptor.localEndpoint()
        self.descriptor = consume descriptor
    }

    deinit { if let attachment { attachment.loop.abandon(attachment.registration) } }

    /// Whether ``close()`` was called.
    public var isClosed: Bool { descriptor == nil }

    /// Closes the socket; nothing is delivered afterwards, not even the rest of a batch.
    public func close() {
        if let attachment { attachment.loop.unregister(attachment.registration) }
        attachment = nil
        descriptor = nil
    }

    /// Asks the kernel for queue sizes, in bytes; it may grant less.
    public func requestBuffers(receive: Int, send: Int) throws(Errno) {
        guard descriptor != nil else { throw .badDescriptor }
        try descriptor?.set(SO_RCVBUF, at: SOL_SOCKET, to: Int32(clamping: receive))
        try descriptor?.set(SO_SNDBUF, at: SOL_SOCKET, to: Int32(clamping: send))
    }

    /// Lets neighbours of one source and length pass the kernel as one (UDP_GRO), which makes receiving much cheaper where
    /// many come; handlers see no difference. Where the kernel knows no such thing, nothing changes.
    public func acceptTrains() {
        guard let number = descriptor?.rawValue else { return }
        acceptsTrains = clinux_accept_trains(number) == 0
    }

    /// Has the kernel keep reports that name destinations where nobody listens.
    func keepReports() throws(Errno) {
        guard clinux_keep_reports(try number(), localEndpoint.address.family.kernelForm) == 0 else { throw .last }
        keepsReports = true
    }

    /// Restricts the socket to one peer, whose ICMP reports the kernel then passes on. For tests of such reports.
    package func connect(to endpoint: Endpoint) throws(Errno) {
        var form = endpoint.kernelForm(for: localEndpoint.address.family)
        // The shim reads one address during the call.
        guard unsafe clinux_connect(try number(), &form) == 0 else { throw .last }
    }

    func number() throws(Errno) -> Int32 {
        guard let number = descriptor?.rawValue else { throw .badDescriptor }
        return number
    }
}

// MARK: Receiving

extension DatagramSocket {
    /// Delivers datagrams in each turn of `loop` in which some arrived, at most `limit` a turn, or one kernel call of trains
    /// more. Loop thread only.
    ///
    /// The span is valid during the call only. `drained` is called after the last datagram of a turn: what came of all of
    /// them can be sent in one go. Ends with ``close()``. An error other than the swallowed ones ends it too, and is handed
    /// to `failed`.
    ///
    /// `refused`, if given, is told of each destination that the network says nobody listens at (ICMP port unreachable).
    /// Whoever knows both addresses and ports can forge such a report.
    public func receive(
        on loop: EventLoop, into batch: DatagramBatch, limit: Int = 128,
        refused: ((Endpoint) -> Void)? = nil, failed: @escaping (Errno) -> Void = { _ in },
        drained: @escaping () -> Void = {}, _ handler: @escaping (Span<UInt8>, Endpoint) -> Void
    ) throws(Errno) {
        guard descriptor != nil, attachment == nil else { throw descriptor == nil ? .badDescriptor : .busy }
        if refused != nil { try keepReports() }
        guard
            let registration = try descriptor?.register(
                on: loop, for: .readable,
                { [weak self] readiness in
                    guard let self else { return }
                    if readiness.contains(.failed), let refused { takeReports(limit: Self.reportLimit, refused) }
                    do throws(Errno) {
                        _ = try receiveBatch(into: batch, limit: limit, handler)
                        drained()
                    } catch {
                        close()
                        drained()
                        failed(error)
                    }
                })
        else { throw .badDescriptor }
        attachment = (loop, registration)
    }

    /// How many reports are taken in one turn; others wait for the next.
    private static let reportLimit = 64

    /// Takes reports about datagrams sent earlier, as far as there are any; tells `refused` where nobody listens.
    func takeReports(limit: Int, _ refused: (Endpoint) -> Void) {
        for _ in 0..<limit {
            var (form, error) = (clinux_address(), Int32(0))
            // The shim fills in one address and one number during the call.
            guard let number = descriptor?.rawValue, unsafe clinux_next_report(number, &form, &error) == 0 else {
                return
            }
            counters.softErrors += 1
            guard Errno(rawValue: error) == .connectionRefused, let destination = Endpoint(form) else { continue }
            refused(destination)
        }
    }

    /// Fetches what has arrived, at most `limit` datagrams, or one kernel call of trains more; returns how many were fetched.
    ///
    /// Datagrams that do not fit a slot are dropped and counted, and so are reports about datagrams sent earlier.
    /// - Throws: what the kernel says about the socket itself; never `.wouldBlock`.
    public func receiveBatch(
        into batch: DatagramBatch, limit: Int = 128, _ handler: (Span<UInt8>, Endpoint) -> Void
    ) throws(Errno) -> Int {
        var total = 0
        while total < limit, let number = descriptor?.rawValue {
            let count: Int
            do throws(Errno) {
                count =
                    try acceptsTrains
                    ? batch.trains.receive(from: number) : batch.receive(from: number, limit: limit - total)
            } catch .wouldBlock, .interrupted {
                break
            } catch  where error.concernsOneDatagram {
                if !keepsReports { counters.softErrors += 1 }
                total += 1
                continue
            }
            if acceptsTrains {
                total += deliverTrains(count, of: batch, to: handler)
                if count < TrainMemory.slots { break }
            } else {
                total += count
                deliver(count, of: batch, to: handler)
                if count < batch.slots { break }
            }
        }
        return total
    }

    private func deliver(_ count: Int, of batch: DatagramBatch, to handler: (Span<UInt8>, Endpoint) -> Void) {
        for index in 0..<count where !isClosed {
            if batch.deliver(index, to: handler) { counters.received += 1 } else { counters.truncated += 1 }
        }
    }

    /// Returns how many datagrams there were.
    private func deliverTrains(
        _ count: Int, of batch: DatagramBatch, to handler: (Span<UInt8>, Endpoint) -> Void
    ) -> Int {
        var total = 0
        for index in 0..<count where !isClosed {
            let (delivered, refused) = batch.trains.deliver(index, limit: batch.slotSize) { bytes, source in
                handler(bytes, source)
                return !isClosed
            }
            counters.received += delivered
            counters.truncated += refused
            total += delivered + refused
        }
        return total
    }
}

// MARK: Sending

extension DatagramSocket {
    /// Sends one datagram.
    /// - Throws: `.wouldBlock` when the kernel's queue is full, and whatever else it says; the datagram is then lost.
    public func send(_ bytes: Span<UInt8>, to destination: Endpoint) throws(Errno) {
        let number = try number()
        let form = try kernelForm(of: destination)
        do throws(Errno) {
            try overlookingReports { () throws(Errno) in
                var form = form
                // The shim reads the span and one address during the call.
                let sent = unsafe bytes.withUnsafeBufferPointer { bytes in
                    unsafe clinux_sendto(number, bytes.baseAddress, bytes.count, &form)
                }
                guard sent >= 0 else { throw .last }
            }
            counters.sent += 1
        } catch { try refused(error) }
    }

    /// Where reports are kept, each also fails one call that has nothing to do with it: that is made again.
    private func overlookingReports<Result>(_ call: () throws(Errno) -> Result) throws(Errno) -> Result {
        for _ in 0..<(keepsReports ? Self.overlookedReports : 0) {
            do throws(Errno) { return try call() } catch {
                guard error.concernsOneDatagram else { throw error }
            }
        }
        return try call()
    }

    /// How often a call is made again; more reports than this come between two calls in a flood only.
    private static let overlookedReports = 3

    /// Sends one datagram.
    /// - Throws: `.wouldBlock` when the kernel's queue is full, and whatever else it says; the datagram is then lost.
    public func send(_ bytes: [UInt8], to destination: Endpoint) throws(Errno) {
        try send(bytes.span, to: destination)
    }

    /// Sends many datagrams with few kernel calls; returns how many the kernel took, from the front.
    ///
    /// One that is refused ends the run. Those longer than a slot of `batch` cannot be sent this way.
    /// - Throws: why the very first was refused; `.messageTooLong` when it does not fit a slot.
    public func send(_ datagrams: [Datagram], through batch: DatagramBatch) throws(Errno) -> Int {
        try send(count: datagrams.count, through: batch) { start throws(Errno) in
            try load(datagrams[start...].prefix(batch.slots), into: batch)
        }
    }

    /// Sends many datagrams to one destination; see ``send(_:through:)``.
    public func send(
        _ contents: [[UInt8]], to destination: Endpoint, through batch: DatagramBatch
    ) throws(Errno) -> Int {
        let form = try kernelForm(of: destination)
        return try send(count: contents.count, through: batch) { start throws(Errno) in
            var loaded = 0
            for content in contents[start...].prefix(batch.slots) {
                guard content.count <= batch.slotSize else {
                    guard loaded > 0 else { throw .messageTooLong }
                    break
                }
                batch.load(content, to: form, into: loaded)
                loaded += 1
            }
            return loaded
        }
    }

    /// Sends `count` datagrams, of which `load` puts as many as fit into the batch, from a place on.
    private func send(
        count: Int, through batch: DatagramBatch, load: (_ start: Int) throws(Errno) -> Int
    ) throws(Errno) -> Int {
        var sent = 0
        while sent < count {
            do throws(Errno) {
                let loaded = try load(sent)
                let number = try number()
                let taken = try overlookingReports { () throws(Errno) in
                    try batch.send(through: number, count: loaded)
                }
                sent += taken
                counters.sent += taken
                if taken < loaded { return sent }
            } catch {
                guard sent > 0 else { try refused(error); return 0 }
                return sent
            }
        }
        return sent
    }

    /// Loads datagrams up to the first that does not fit; that one throws when it is the first.
    private func load(_ datagrams: ArraySlice<Datagram>, into batch: DatagramBatch) throws(Errno) -> Int {
        var loaded = 0
        for datagram in datagrams {
            guard datagram.bytes.count <= batch.slotSize else {
                guard loaded > 0 else { throw .messageTooLong }
                return loaded
            }
            batch.load(datagram.bytes, to: try kernelForm(of: datagram.destination), into: loaded)
            loaded += 1
        }
        return loaded
    }

    private func kernelForm(of destination: Endpoint) throws(Errno) -> clinux_address {
        let family = localEndpoint.address.family
        guard family == .v6 || destination.address.family == .v4 else { throw .familyNotSupported }
        return destination.kernelForm(for: family)
    }

    private func refused(_ error: Errno) throws(Errno) {
        if error == .wouldBlock || error == .noBufferSpace { counters.congested += 1 }
        throw error
    }
}

extension Errno {
    /// Whether the error is an ICMP report about a datagram sent earlier, which says nothing about the socket.
    fileprivate var concernsOneDatagram: Bool {
        [.connectionRefused, .hostUnreachable, .networkUnreachable, .messageTooLong].contains(self)
    }
}
