// Runs populations of DHT nodes in virtual time and prints one row a size.
import Glibc
import SansIO
import Simulator

/// usage: dht-scale NODES... [minutes=60] [values=1000] [churn=50] [seed=1]
var sizes: [Int] = []
var settings = ["minutes": 60, "values": 1000, "churn": 50, "lookups": 1000, "seed": 1]
for word in CommandLine.arguments.dropFirst() {
    let parts = word.split(separator: "=")
    if let size = Int(word), size > 1 {
        sizes.append(size)
    } else if parts.count == 2, settings[String(parts[0])] != nil, let number = Int(parts[1]), number >= 0 {
        settings[String(parts[0])] = number
    } else {
        print("usage: dht-scale NODES... [minutes=60] [values=1000] [churn=50] [lookups=1000] [seed=1]")
        exit(64)
    }
}

/// Processor seconds and memory of this process.
func usage() -> (seconds: Double, megabytes: Double) {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    let user = Double(usage.ru_utime.tv_sec) + Double(usage.ru_utime.tv_usec) / 1e6
    return (user, Double(usage.ru_maxrss) / 1024)
}

func round1(_ value: Double) -> Double { (value * 10).rounded() / 10 }

print(
    "| nodes | replaced | found | lost | hops p50/p95 | messages p50/p95 | bytes p50 | first value p50/p95 ms "
        + "| done p50/p95 ms | datagrams per node-hour | KB per node-hour | good nodes known "
        + "| CPU ms per node-hour | KB per node |")
print("|" + String(repeating: " ---: |", count: 14))
for size in sizes {
    var plan = PopulationPlan(nodes: size)
    plan.duration = .seconds(60 * (settings["minutes"] ?? 60))
    plan.values = settings["values"] ?? 1000
    plan.churnPercentPerHour = settings["churn"] ?? 50
    plan.lookups = settings["lookups"] ?? 1000
    plan.seed = UInt64(settings["seed"] ?? 1)
    let before = usage()
    let report = Population(plan).run()
    let after = usage()
    let hours = (plan.duration + plan.entry).seconds / 3600
    let cost = (after.seconds - before.seconds) * 1000 / (Double(size) * hours)
    let cells: [String] = [
        "\(size)", "\(report.replaced)", "\(report.found)/\(report.lookups)", "\(report.lost)/\(plan.values)",
        "\(Int(report.hops.median))/\(Int(report.hops.p95))",
        "\(Int(report.messages.median))/\(Int(report.messages.p95))", "\(Int(report.bytes.median))",
        "\(Int(report.firstValue.median))/\(Int(report.firstValue.p95))",
        "\(Int(report.completion.median))/\(Int(report.completion.p95))", "\(Int(report.datagramsPerNodeHour))",
        "\(Int(report.bytesPerNodeHour / 1024))", "\(Int(report.knownNodes))", "\(round1(cost))",
        "\(Int((after.megabytes - before.megabytes) * 1024 / Double(size)))",
    ]
    print("| " + cells.joined(separator: " | ") + " |")
    fflush(nil)
}
