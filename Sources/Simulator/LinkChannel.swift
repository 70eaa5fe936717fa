internal import SansIO
internal import SecureChannel

/// Runs the TLS of one link as a driver does: handshake steps take a while, during which inputs wait.
final class LinkChannel {
    private enum Input {
        case start
        case receive([UInt8])
        case advance
    }

    private let session: any SecureTransport
    private unowned let world: World
    private let workTime: () -> Duration
    private let output: ([SecureEffect]) -> Void
    private var waiting: [Input] = []
    private var isBusy = false
    private var isEstablished = false
    private var isClosed = false
    private var alarm: Instant?

    /// - Parameter workTime: draws how long one step of the handshake takes.
    init(
        _ session: any SecureTransport, in world: World, workTime: @escaping () -> Duration,
        output: @escaping ([SecureEffect]) -> Void
    ) {
        self.session = session
        self.world = world
        self.workTime = workTime
        self.output = output
    }

    func start() { submit(.start) }

    func receive(_ bytes: [UInt8]) { submit(.receive(bytes)) }

    func send(_ plaintext: [UInt8]) {
        guard isEstablished, !isBusy else { return }
        finish(session.send(plaintext, at: world.now))
    }

    /// Says good-bye; what must still be sent, then `closed`.
    func close() -> [SecureEffect] {
        isClosed = true
        alarm = nil
        let farewell = isBusy ? [] : session.close(at: world.now)
        return farewell.filter { $0 != .closed } + [.closed]
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
        let effects = inputs.flatMap { apply($0) }
        guard !isEstablished else { return finish(effects) }
        isBusy = true
        world.schedule(after: workTime()) { [weak self] in
            self?.isBusy = false
            self?.finish(effects)
        }
    }

    private func apply(_ input: Input) -> [SecureEffect] {
        switch input {
        case .start: session.start(at: world.now)
        case .receive(let bytes): session.receive(bytes, at: world.now)
        case .advance: session.advance(to: world.now)
        }
    }

    private func finish(_ effects: [SecureEffect]) {
        guard !isClosed else { return }
        for case .established in effects { isEstablished = true }
        setAlarm(session.deadline)
        output(effects)
        pump()
    }

    private func setAlarm(_ deadline: Instant?) {
        guard alarm != deadline else { return }
        alarm = deadline
        guard let deadline else { return }
        world.schedule(at: deadline) { [weak self] in
            guard let self, alarm == deadline else { return }
            alarm = nil
            submit(.advance)
        }
    }
}
