import Glibc

/// How many times each figure is taken; the median counts.
private let rounds = 9

/// The median time of one run of `body`, in nanoseconds, over rounds of `count` runs; the first round warms up.
func time(_ count: Int, _ body: () -> Void) -> Double {
    let clock = ContinuousClock()
    let times = (0...rounds).map { _ in
        clock.measure { for _ in 0..<count { body() } }
    }
    let median = times.dropFirst().sorted()[rounds / 2]
    return (median / .nanoseconds(1)) / Double(count)
}

/// Prints what one run costs.
func cost(_ name: String, runs count: Int, _ body: () -> Void) {
    report(name, time(count, body), "ns")
}

/// Prints how many times a second something happens that one run does `batch` times.
func rate(_ name: String, _ unit: String, runs count: Int, batch: Int = 1, _ body: () -> Void) {
    report(name, 1e9 * Double(batch) / time(count, body), "\(unit)/s")
}

/// Prints one line.
func report(_ name: String, _ value: Double, _ unit: String) {
    print(name, Int(value.rounded()), unit)
}

/// Ends the program where a benchmark would measure something else than it says.
func expect(_ holds: Bool, _ fact: @autoclosure () -> String) {
    guard !holds else { return }
    print("this benchmark is wrong:", fact())
    exit(70)
}

/// Keeps the optimizer from seeing that a result is not used.
@inline(never)
func use<T>(_: T) {}
