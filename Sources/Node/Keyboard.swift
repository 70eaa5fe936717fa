import Foundation
import Swiftlet

/// What people type into a terminal while calls are under way.
enum Keyboard {
    /// The user's lines, where standard input is a terminal; reading blocks, so a thread of its own does it.
    static func lines() -> AsyncStream<String>? {
        isatty(STDIN_FILENO) == 1 ? allLines() : nil
    }

    /// The lines of standard input, whatever it is.
    static func allLines() -> AsyncStream<String> {
        let (lines, input) = AsyncStream<String>.makeStream()
        Thread.detachNewThread {
            while let line = readLine() { input.yield(line) }
            input.finish()
        }
        return lines
    }
}

/// The keys of a call under way, and what they switched.
struct CallKeys {
    /// What people read about the keys.
    static let help = "h to hang up, o to hold and go on, m to mute and unmute"

    private let call: Call
    private var isHolding = false
    private var isMuted = false

    init(_ call: Call) { self.call = call }

    /// Does what a line says; `false` when it says nothing about the call.
    mutating func obey(_ line: String) async -> Bool {
        switch line {
        case "h": await call.hangUp()
        case "o":
            isHolding.toggle()
            if isHolding { await call.hold() } else { await call.resume() }
        case "m":
            isMuted.toggle()
            await call.mute(isMuted)
        default: return false
        }
        return true
    }

    /// Takes up what really became of the call.
    mutating func note(_ event: CallEvent) {
        if case .held(let isHeld) = event { isHolding = isHeld }
        if case .changeFailed(.hold, _) = event { isHolding = false }
        if case .changeFailed(.resume, _) = event { isHolding = true }
    }
}
