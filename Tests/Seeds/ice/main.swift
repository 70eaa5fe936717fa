// Plays sessions between homes behind random NATs, one a seed, as `RandomNetworkTests` does, but built for speed:
//
//     ICESeeds FIRST LAST     plays a range and names what should not have happened
//     ICESeeds SEED           tells all that one of them does
import Glibc
import ICESimulator
import SansIO

let bounds = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
guard let first = bounds.first, let last = bounds.last, first <= last, bounds.count == CommandLine.argc - 1 else {
    print("usage: ICESeeds FIRST [LAST]")
    exit(64)
}

@Sendable func tell(_ line: String) { print(line) }

var failures = 0
for seed in first...last {
    var random = RandomSource.seeded(seed)
    let scenario = Scenario(random: &random)
    let findings = scenario.play(trace: bounds.count == 1 ? tell : nil)
    guard !findings.isEmpty else { continue }
    failures += 1
    print("seed \(seed): \(findings.joined(separator: "; "))\n  \(scenario)")
}
print("\(last - first + 1 - UInt64(failures)) of \(last - first + 1) seeds hold")
exit(failures == 0 ? 0 : 1)
