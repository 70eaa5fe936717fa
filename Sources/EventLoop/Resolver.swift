internal import CLinux
internal import Glibc
public import SansIO

/// Turns host names into addresses with the C library, on threads of its own, as it blocks.
public final class Resolver: Sendable {
    /// Limits of one resolver.
    public struct Configuration: Hashable, Sendable {
        /// How many names are looked up at a time.
        public var threads = 2
        /// How many names may wait.
        public var queueLimit = 64
        /// After how long a name that was not found yet is given up.
        public var timeout = Duration.seconds(10)
        /// How many addresses of one name are used.
        public var addressLimit = 16

        /// The usual limits.
        public init() {}
    }

    /// Why a name has no addresses.
    public enum Failure: Error, Hashable, Sendable {
        /// There is no such name, or it has no address.
        case notFound
        /// The name servers did not answer well; later may be better.
        case temporary
        /// No answer came in time.
        case timedOut
        /// Too many names wait already.
        case overloaded
        /// The resolver was shut down.
        case cancelled
        /// The C library failed for another reason; its own number (`EAI_…`).
        case other(Int32)
    }

    private let loop: EventLoop
    private let worker: Worker
    private let configuration: Configuration

    /// Starts the threads. Answers come on `loop`.
    public init(for loop: EventLoop, _ configuration: Configuration = Configuration()) throws(Errno) {
        self.loop = loop
        self.configuration = configuration
        var limits = Worker.Configuration()
        limits.name = "resolver"
        limits.threads = configuration.threads
        limits.queueLimit = configuration.queueLimit
        worker = try Worker(for: loop, limits)
    }

    /// Looks up `host` and calls `completion` once, later, with at least one endpoint or a failure. Loop thread only.
    ///
    /// Numeric addresses are answered without asking anyone. The order is the C library's (RFC 6724).
    public func resolve(
        _ host: String, port: UInt16, family: IPAddress.Family? = nil,
        completion: @escaping (Result<[Endpoint], Failure>) -> Void
    ) {
        let answer = Answer(completion)
        let limit = configuration.addressLimit
        let timer = loop.schedule(at: loop.now.advanced(by: configuration.timeout)) {
            answer.give(.failure(.timedOut))
        }
        worker.run {
            Self.lookUp(host, port: port, family: family, limit: limit)
        } completion: { [loop] result in
            loop.cancel(timer)
            switch result {
            case .success(let endpoints): answer.give(endpoints)
            case .failure(.overloaded): answer.give(.failure(.overloaded))
            case .failure(.cancelled): answer.give(.failure(.cancelled))
            }
        }
    }

    /// Looks up `host`. Callable from any task; cancelling the task does not stop it.
    public func resolve(
        _ host: String, port: UInt16, family: IPAddress.Family? = nil
    ) async throws(Failure) -> [Endpoint] {
        let result: Result<[Endpoint], Failure> = await withCheckedContinuation { continuation in
            loop.execute { [self] in
                resolve(host, port: port, family: family) { continuation.resume(returning: $0) }
            }
        }
        return try result.get()
    }

    /// Fails what waits. Look-ups under way end on their own, unheard: the C library cannot be interrupted.
    public func shutdown() { worker.shutdown(waiting: false) }

    /// The first of two answers, the name servers' and the timer's. Loop thread only.
    private final class Answer {
        private var completion: ((Result<[Endpoint], Failure>) -> Void)?

        init(_ completion: @escaping (Result<[Endpoint], Failure>) -> Void) { self.completion = completion }

        func give(_ result: Result<[Endpoint], Failure>) {
            let completion = completion
            self.completion = nil
            completion?(result)
        }
    }

    private static func lookUp(
        _ host: String, port: UInt16, family: IPAddress.Family?, limit: Int
    ) -> Result<[Endpoint], Failure> {
        if let address = IPAddress(host) {
            guard family == nil || family == address.family else { return .failure(.notFound) }
            return .success([Endpoint(address, port: port)])
        }
        // A NUL byte would cut the name short, and so name another host.
        guard !host.isEmpty, host.utf8.count <= 253, !host.utf8.contains(0) else { return .failure(.notFound) }
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = family?.kernelForm ?? AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        // `list` is the C library's until it is freed below; nothing of it is kept.
        let result = unsafe getaddrinfo(host, nil, &hints, &list)
        guard result == 0 else { return .failure(Failure(result)) }
        defer { unsafe freeaddrinfo(list) }
        var endpoints: [Endpoint] = []
        var next = unsafe list
        while let entry = unsafe next, endpoints.count < limit {
            let form = unsafe clinux_unpack(entry.pointee.ai_addr, entry.pointee.ai_addrlen)
            if let endpoint = Endpoint(form)?.with(port: port), !endpoints.contains(endpoint) {
                endpoints.append(endpoint)
            }
            unsafe next = entry.pointee.ai_next
        }
        return endpoints.isEmpty ? .failure(.notFound) : .success(endpoints)
    }
}

extension Resolver.Failure {
    fileprivate init(_ code: Int32) {
        switch code {
        case EAI_NONAME, clinux_no_data, clinux_no_address_family: self = .notFound
        case EAI_AGAIN: self = .temporary
        default: self = .other(code)
        }
    }
}
