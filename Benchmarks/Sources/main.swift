// Prints one figure a line, `name value unit`, each the median of several rounds. Nothing is judged here.
import Glibc

let suites = [
    "parse": benchmarkParsing, "srtp": benchmarkSRTP, "machine": benchmarkMachines, "sound": benchmarkSound,
]
let wanted = CommandLine.arguments.dropFirst()

for name in wanted.isEmpty ? ["parse", "srtp", "machine"] : Array(wanted) {
    guard let suite = suites[name] else {
        print("usage: swiftlet-bench [parse] [srtp] [machine] [sound]")
        exit(64)
    }
    suite()
}
