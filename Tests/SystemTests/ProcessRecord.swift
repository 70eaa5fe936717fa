import Foundation
import Synchronization

/// One line of `swiftlet --json`.
struct Event: Decodable, Sendable, CustomStringConvertible {
    enum Fact: Decodable, Sendable {
        case flag(Bool)
        case number(Double)
        case text(String)

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let flag = try? value.decode(Bool.self) {
                self = .flag(flag)
            } else if let number = try? value.decode(Double.self) {
                self = .number(number)
            } else {
                self = .text(try value.decode(String.self))
            }
        }
    }

    private let facts: [String: Fact]

    init(from decoder: any Decoder) throws { facts = try [String: Fact](from: decoder) }

    var name: String { self["event"] }
    var description: String { "\(name) \(facts)" }

    /// A fact that is a text; empty where there is none.
    subscript(name: String) -> String {
        if case .text(let text)? = facts[name] { text } else { "" }
    }

    /// A fact that is a number; not a number where there is none.
    func number(_ name: String) -> Double {
        if case .number(let number)? = facts[name] { number } else { .nan }
    }
}

/// What a process said so far, and those who wait for more of it.
final class ProcessRecord: Sendable {
    struct State: Sendable {
        var events: [Event] = []
        /// Lines on standard output that are no event.
        var lines: [String] = []
        var errorLines: [String] = []
        var openStreams = 2
        var status: Int32?

        /// Whether the process ended and everything it said was read.
        var isComplete: Bool { openStreams == 0 && status != nil }
    }

    struct Missing: Error, CustomStringConvertible {
        let description: String
    }

    private struct Waiter: Sendable {
        let number: Int
        /// Ends the wait, if its time has come; tells whether it has.
        let settle: @Sendable (State) -> Bool
        let giveUp: @Sendable (State) -> Void
    }

    private let state = Mutex((record: State(), waiters: [Waiter](), last: 0))

    var snapshot: State { state.withLock { $0.record } }

    func update(_ change: (inout State) -> Void) {
        state.withLock { state in
            change(&state.record)
            let record = state.record
            state.waiters.removeAll { $0.settle(record) }
            guard record.isComplete else { return }
            for waiter in state.waiters { waiter.giveUp(record) }
            state.waiters = []
        }
    }

    /// Waits until `value` finds what it looks for; fails when the process ended without it, or after a time that only
    /// ever passes when something is broken.
    func wait<Value: Sendable>(
        for what: String, within seconds: Int = 60, _ value: @escaping @Sendable (State) -> Value?
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Value, any Error>) in
            let giveUp: @Sendable (State) -> Void = { record in
                let story = record.events.map(\.description) + record.lines + record.errorLines
                let text = "no \(what); status \(record.status ?? -1)\n" + story.joined(separator: "\n")
                continuation.resume(throwing: Missing(description: text))
            }
            let settle: @Sendable (State) -> Bool = { record in
                guard let found = value(record) else { return false }
                continuation.resume(returning: found)
                return true
            }
            let number: Int? = state.withLock { state in
                if settle(state.record) { return nil }
                if state.record.isComplete {
                    giveUp(state.record)
                    return nil
                }
                state.last += 1
                state.waiters.append(Waiter(number: state.last, settle: settle, giveUp: giveUp))
                return state.last
            }
            guard let number else { return }
            DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(seconds)) { self.expire(number) }
        }
    }

    private func expire(_ number: Int) {
        state.withLock { state in
            guard let index = state.waiters.firstIndex(where: { $0.number == number }) else { return }
            state.waiters.remove(at: index).giveUp(state.record)
        }
    }
}
