// Dispatch sources may be used and released on any thread; their declarations do not say so yet.
@unsafe @preconcurrency import Dispatch
import Foundation

/// Ctrl-C and polite requests to end, as a stream.
enum Interruption {
    /// Yields once for each SIGINT or SIGTERM, from now on. Before, they end the process at once: nothing that has to be
    /// ended well is begun while the network does not answer.
    static func stream() -> AsyncStream<Void> {
        let (stream, input) = AsyncStream<Void>.makeStream()
        let sources = [SIGINT, SIGTERM].map { number in
            // The default action would end the process before the call is hung up.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler { input.yield() }
            source.resume()
            return source
        }
        input.onTermination = { _ in
            for source in sources { source.cancel() }
        }
        return stream
    }
}
