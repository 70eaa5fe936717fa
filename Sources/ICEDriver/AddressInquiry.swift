internal import EventLoop
internal import SansIO
internal import SwiftICE

/// What others say of the sockets of an outlet: at which address does each see them? Lives on the loop's thread.
final class AddressInquiry {
    /// What the inquiry asks of its outlet, and tells it.
    struct Handlers {
        /// Send a datagram from one of the sockets.
        var send: ([UInt8], _ base: Endpoint, _ host: Endpoint) -> Void
        /// A socket is seen at an address it was not known to be seen at.
        var learned: (View) -> Void
        /// Somebody who was asked over TCP has answered, or never will.
        var progressed: () -> Void
    }

    /// A question of one socket to one host.
    private struct Question {
        let base: Endpoint
        var asked: any AddressQuestion
    }

    /// An address a socket is seen at, and who says so; `nil` is a gateway.
    struct View {
        let base: Endpoint
        let teller: Endpoint?
        var mapped: Endpoint
    }

    private let loop: EventLoop
    private let handlers: Handlers
    private var questions: [Question] = []
    /// Those of listeners, while they are connected to servers.
    private var connected: [ConnectedQuestion] = []
    /// Everything that was told.
    private(set) var views: [View] = []

    init(on loop: EventLoop, handlers: Handlers) {
        self.loop = loop
        self.handlers = handlers
    }

    /// Whether nobody is being asked.
    var isIdle: Bool { questions.isEmpty && connected.allSatisfy(\.isAnswered) }
    /// When somebody is asked again, or given up.
    var deadline: Instant? { questions.compactMap(\.asked.deadline).min() }
    /// Whether every socket that asked somebody has one answer at least.
    var hasAnswers: Bool { (questions.map(\.base) + connected.map(\.base)).allSatisfy(isKnown) }

    /// Whether anybody but a gateway told where a socket is seen.
    func isKnown(_ base: Endpoint) -> Bool { views.contains { $0.base == base && $0.teller != nil } }

    /// Asks others about a socket.
    func ask(_ asked: [any AddressQuestion], about base: Endpoint) {
        for question in asked {
            questions.append(Question(base: base, asked: question))
            let index = questions.count - 1
            perform(questions[index].asked.start(at: loop.now), base: base, host: question.host)
        }
    }

    /// Has a listener ask servers that it is not connected to, from its own port.
    func ask(overTCP requests: [BindingRequest], about base: Endpoint) {
        for request in requests
        where !connected.contains(where: { $0.base == base && $0.server == request.server }) {
            let question = ConnectedQuestion(from: base, request, on: loop) { [weak self] in
                self?.progressed(base, request.server, $0)
            }
            if let question { connected.append(question) }
        }
    }

    private func progressed(_ base: Endpoint, _ server: Endpoint, _ news: ConnectedQuestion.News) {
        switch news {
        case .answered(let mapped): learn(mapped, of: base, from: server)
        case .ended:
            for question in connected where question.base == base && question.server == server { question.close() }
            connected.removeAll { $0.base == base && $0.server == server }
        }
        handlers.progressed()
    }

    /// Forgets a socket, which is closed.
    func forget(_ base: Endpoint) {
        views.removeAll { $0.base == base }
        questions.removeAll { $0.base == base }
        for question in connected where question.base == base { question.close() }
        connected.removeAll { $0.base == base }
    }

    /// Forgets what a gateway said of a socket.
    func forgetGateway(of base: Endpoint) { views.removeAll { $0.base == base && $0.teller == nil } }

    /// Takes what somebody, or a gateway, says of a socket.
    func learn(_ mapped: Endpoint, of base: Endpoint, from teller: Endpoint?) {
        if let index = views.firstIndex(where: { $0.base == base && $0.teller == teller }) {
            guard views[index].mapped != mapped else { return }
            views[index].mapped = mapped
        } else {
            views.append(View(base: base, teller: teller, mapped: mapped))
        }
        handlers.learned(View(base: base, teller: teller, mapped: mapped))
    }

    /// Takes a datagram if it answers one of the questions.
    func takes(_ bytes: Span<UInt8>, on base: Endpoint, from source: Endpoint) -> Bool {
        for index in questions.indices where questions[index].base == base && questions[index].asked.host == source {
            let effects = questions[index].asked.receive(bytes, from: source, at: loop.now)
            if case .ignored? = effects.first { continue }
            questions.removeAll { $0.asked.deadline == nil }
            perform(effects, base: base, host: source)
            return true
        }
        return false
    }

    /// Repeats what is due, and gives up who does not answer.
    func advance() {
        // What is learned may end the outlet, and the questions with it.
        for index in questions.indices where index < questions.count {
            let (base, host) = (questions[index].base, questions[index].asked.host)
            perform(questions[index].asked.advance(to: loop.now), base: base, host: host)
        }
        questions.removeAll { $0.asked.deadline == nil }
    }

    /// Asks nobody any more.
    func close() {
        for question in connected { question.close() }
        (questions, connected) = ([], [])
    }

    private func perform(_ effects: [BindingRequest.Effect], base: Endpoint, host: Endpoint) {
        for effect in effects {
            switch effect {
            case .send(let bytes, let host): handlers.send(bytes, base, host)
            case .answered(let mapped, _): learn(mapped, of: base, from: host)
            case .failed: views.removeAll { $0.base == base && $0.teller == host }
            case .ignored: break
            }
        }
    }
}
