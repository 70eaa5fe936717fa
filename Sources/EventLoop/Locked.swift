internal import Glibc

/// State that several threads share, behind a POSIX mutex, with a condition to wait on.
///
/// The library's own `Mutex` is invisible to ThreadSanitizer, which then reports every use of it.
@safe
package final class Locked<State>: @unchecked Sendable {
    // Sendable because `state` is touched with `mutex` held only; both C objects live until `deinit`.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var state: State

    package init(_ state: State) {
        self.state = state
        // Initialised here, destroyed and freed once in `deinit`.
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(condition, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    /// Runs `body` alone. `body` must neither block nor call out.
    package func with<Result>(_ body: (inout State) -> Result) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body(&state)
    }

    /// Runs `body` each time somebody signals, until it returns something.
    package func wait<Result>(for body: (inout State) -> Result?) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while true {
            if let result = body(&state) { return result }
            unsafe pthread_cond_wait(condition, mutex)
        }
    }

    /// Makes every waiter look again.
    package func signalAll() { unsafe pthread_cond_broadcast(condition) }
}
