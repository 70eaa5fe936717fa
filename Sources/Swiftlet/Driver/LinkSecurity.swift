internal import EventLoop
internal import SansIO
internal import SecureChannel

/// Runs the TLS or DTLS of one link: the handshake on a worker, as it signs with RSA, everything after on the loop.
///
/// Only one thread uses the session at a time: while a handshake step is under way, further inputs wait.
final class LinkSecurity {
    private enum Input: Sendable {
        case start
        case receive([UInt8])
        case advance
    }

    private let session: any SecureTransport
    private let key: Worker.Key
    private let worker: Worker
    private let loop: EventLoop
    private let output: ([SecureEffect]) -> Void
    private var waiting: [Input] = []
    private var isBusy = false
    private var isEstablished = false
    private var isClosed = false
    private lazy var alarm = Alarm(on: loop) { [weak self] in self?.submit(.advance) }

    init(
        _ session: any SecureTransport, key: Worker.Key, worker: Worker, loop: EventLoop,
        output: @escaping ([SecureEffect]) -> Void
    ) {
        self.session = session
        self.key = key
        self.worker = worker
        self.loop = loop
        self.output = output
    }

    func start() { submit(.start) }

    func receive(_ bytes: [UInt8]) { submit(.receive(bytes)) }

    /// Encrypts and sends; legal once established.
    func send(_ plaintext: [UInt8]) {
        guard isEstablished, !isBusy else { return }
        finish(session.send(plaintext, at: loop.now))
    }

    /// Says good-bye, and tells that the session is closed; nothing is delivered from now on.
    ///
    /// Comes once a step of the handshake that is under way is over: a peer that is further in it has to hear of it.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        alarm.set(nil)
        if !isBusy { end() }
    }

    private func end() {
        output(session.close(at: loop.now).filter { $0 != .closed } + [.closed])
    }

    private func submit(_ input: Input) {
        guard !isClosed else { return }
        waiting.append(input)
        pump()
    }

    private func pump() {
        guard !isBusy, !isClosed, !waiting.isEmpty else { return }
        let inputs = waiting
        waiting = []
        let now = loop.now
        guard !isEstablished else { return finish(Self.apply(inputs, to: session, at: now)) }
        isBusy = true
        worker.run(on: key) { [session] in
            Self.apply(inputs, to: session, at: now)
        } completion: { [self] result in
            isBusy = false
            let effects = (try? result.get()) ?? [.closed]
            guard isClosed else { return finish(effects) }
            output(effects.filter { if case .send = $0 { true } else { false } })
            end()
        }
    }

    private func finish(_ effects: [SecureEffect]) {
        guard !isClosed else { return }
        for case .established in effects { isEstablished = true }
        alarm.set(session.deadline)
        output(effects)
        pump()
    }

    private static func apply(
        _ inputs: [Input], to session: any SecureTransport, at now: Instant
    ) -> [SecureEffect] {
        inputs.flatMap { input in
            switch input {
            case .start: session.start(at: now)
            case .receive(let bytes): session.receive(bytes, at: now)
            case .advance: session.advance(to: now)
            }
        }
    }
}
