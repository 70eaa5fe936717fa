import Testing

/// Several real processes that talk over real sockets of the loopback interface.
///
/// One after the other, as each is a small crowd. Nothing waits for a fixed time: tests go on when processes say what
/// was waited for, and fail after a minute without it.
@Suite("Processes", .serialized)
struct ProcessTests {}
