internal import SansIO

extension AudioSession {
    /// Does once what the first session of a process would otherwise wait for: libsrtp tests its ciphers when it is
    /// first used, which takes tens of milliseconds.
    ///
    /// Callable on any thread, again at no cost, and needless for correctness.
    public static func prepare() { SRTPContext.prepare() }
}
