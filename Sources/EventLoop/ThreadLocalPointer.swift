internal import Glibc

/// One pointer per thread, `nil` at first.
final class ThreadLocalPointer: Sendable {
    private let key: pthread_key_t

    init() {
        var key = pthread_key_t()
        // Fails only when a process holds more than a thousand keys.
        let result = unsafe pthread_key_create(&key, nil)
        precondition(result == 0, "no thread-specific key is left")
        self.key = key
    }

    deinit { pthread_key_delete(key) }

    /// The calling thread's pointer; compared only, never followed.
    var value: UnsafeMutableRawPointer? {
        get { unsafe pthread_getspecific(key) }
    }

    /// Replaces the calling thread's pointer.
    func set(_ pointer: UnsafeMutableRawPointer?) { unsafe pthread_setspecific(key, pointer) }
}
