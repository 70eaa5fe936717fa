import ArgumentParser
import SecureChannel
import Swiftlet

/// What the process's exit code says; the numbers are documented in `Documentation/Events.md`.
enum ExitStatus: Int32 {
    case different = 1
    case declined = 10
    case unanswered = 11
    case notFound = 12
    case unreachable = 13
    case untrusted = 14
    case connectionLost = 15
    case noMedia = 16
    case cancelled = 17
    case usage = 64
    case badFile = 65
    case noInput = 66
    case unavailable = 69
    case fault = 70
    case system = 71
    case noDevice = 72
    case cannotCreate = 73
    case inUse = 75
    case wrongPassword = 77
    case noAccount = 78

    var code: ExitCode { ExitCode(rawValue) }
}

/// A failure with one line for people and a code for programs.
struct Failure: Error {
    let status: ExitStatus
    /// The cause, and what to do next.
    let line: String

    init(_ status: ExitStatus, _ line: String) {
        self.status = status
        self.line = line
    }
}

extension Failure {
    /// Nobody of these hosts answered; some may have no address.
    init(offline hosts: [Node.Configuration.Bootstrap], unresolved: [Node.Configuration.Bootstrap]) {
        let isNameless = !hosts.isEmpty && unresolved.count == hosts.count
        let names = hosts.isEmpty ? "anybody" : hosts.map(\.description).joined(separator: ", ")
        let cause = isNameless ? "no address is known of" : "no answer from"
        self.init(.unavailable, "\(cause) \(names); check your connection and --bootstrap")
    }

    init(_ error: NodeError) {
        switch error {
        case .portInUse(let port):
            self.init(.system, "port \(port) is in use; choose another with --port, or 0 for any free one")
        case .socket(let text): self.init(.system, "cannot open a socket: \(text); check --bind and the permissions")
        case .unwritable(let path):
            self.init(.cannotCreate, "cannot write \(path); check its permissions or use --state")
        case .account(let error): self.init(error)
        case .identity(let error): self.init(.fault, "the account's keys cannot be used: \(error)")
        case .closed: self.init(.fault, "the node was closed")
        }
    }

    init(_ error: AccountError) {
        switch error {
        case .missing(let path):
            self.init(.noAccount, "no account in \(path); make one with: swiftlet account create --state \(path)")
        case .exists(let path): self.init(.cannotCreate, "there is an account in \(path) already; it was left as it is")
        case .unwritable(let path):
            self.init(.cannotCreate, "cannot write \(path); check its permissions or use --state")
        case .inUse(let path):
            self.init(.inUse, "another swiftlet runs with \(path); end it, or use another folder with --state")
        case .storage(let error): self.init(.noInput, "the account cannot be used: \(error)")
        case .keys(.untrusted(let why)):
            self.init(.badFile, "the account's certificates cannot be used any more: \(why)")
        case .keys(let error): self.init(.fault, "keys could not be made: \(error)")
        }
    }

    /// An account's archive at `path` that cannot be read or made.
    init(archive path: String, _ error: AccountArchiveError) {
        switch error {
        case .notAnArchive: self.init(.badFile, "\(path) is not an account's archive")
        case .passwordNeeded:
            self.init(.wrongPassword, "\(path) has a password; use --password-file or --password-stdin")
        case .wrongPassword: self.init(.wrongPassword, "the password does not open \(path), or the file is damaged")
        case .damaged: self.init(.badFile, "\(path) is damaged; export the account again")
        case .incomplete(let key): self.init(.badFile, "\(path) holds no whole account: \(key) is missing")
        case .malformed(let key): self.init(.badFile, "\(path) holds no sound account: \(key) cannot be read")
        case .mismatched: self.init(.badFile, "\(path) holds certificates of other keys than its own")
        case .overLimit(let limit): self.init(.badFile, "\(path) holds more than \(limit) bytes")
        case .outOfMemory: self.init(.system, "there is not enough memory for the archive")
        }
    }

    /// A file at `path` that cannot be read.
    init(file path: String, _ error: IdentityError) {
        switch error {
        case .missing: self.init(.noInput, "\(path) does not exist")
        case .overLimit(_, let limit): self.init(.badFile, "\(path) holds more than \(limit) bytes")
        default: self.init(.noInput, "\(path) cannot be read: \(error)")
        }
    }

    /// A file at `path` that cannot be written.
    init(exporting path: String, _ error: IdentityError) {
        if case .exists = error {
            self.init(.cannotCreate, "\(path) is there already; it was left as it is")
        } else {
            self.init(.cannotCreate, "cannot write \(path); check its folder and permissions")
        }
    }
}

extension CallEnd {
    /// The code for a call that ended so; `nil` where the call was made as it should.
    var status: ExitStatus? {
        switch self {
        case .hungUp, .remoteHungUp: nil
        case .cancelled, .remoteCancelled: .cancelled
        case .declined, .remoteDeclined: .declined
        case .unanswered: .unanswered
        case .notFound: .notFound
        case .offline: .unavailable
        case .noReply, .unreachable: .unreachable
        case .untrusted: .untrusted
        case .connectionLost: .connectionLost
        case .mediaUnreachable, .incompatible: .noMedia
        case .refused: .declined
        }
    }

    /// The name in JSON events.
    var name: String {
        switch self {
        case .hungUp: "hung-up"
        case .remoteHungUp: "remote-hung-up"
        case .cancelled: "cancelled"
        case .remoteCancelled: "remote-cancelled"
        case .declined: "declined"
        case .remoteDeclined: "remote-declined"
        case .unanswered: "unanswered"
        case .notFound: "not-found"
        case .offline: "offline"
        case .noReply: "no-reply"
        case .unreachable: "unreachable"
        case .untrusted: "untrusted"
        case .connectionLost: "connection-lost"
        case .mediaUnreachable: "media-unreachable"
        case .incompatible: "incompatible"
        case .refused(let status): "refused-\(status)"
        }
    }

    /// One line for people: the cause and the next step.
    var line: String {
        switch self {
        case .hungUp: "you hung up"
        case .remoteHungUp: "the peer hung up"
        case .cancelled: "you gave up before the peer answered"
        case .remoteCancelled: "the caller gave up"
        case .declined: "you declined the call"
        case .remoteDeclined: "the peer declined the call"
        case .unanswered: "nobody answered; try again later"
        case .notFound: "no device of that account is online; check the id, or try again later"
        case .offline: "the network does not answer; check your connection and --bootstrap"
        case .noReply: "the peer's device does not reply; it may have just gone offline"
        case .unreachable: "the peer's device was found, but no path leads to it"
        case .untrusted: "the peer's certificates are missing or wrong; nothing was said to it"
        case .connectionLost: "the connection to the peer was lost; call again"
        case .mediaUnreachable: "no path for sound was found between both sides"
        case .incompatible: "both sides have no codec or encryption in common"
        case .refused(let status): "the peer refused the call (SIP status \(status))"
        }
    }
}
