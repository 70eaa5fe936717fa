// Hosts up to hundreds of DHT nodes on a few threads, driven by lines on standard input (see Order.swift).
import EventLoop
import Glibc

/// usage: dht-bench-host [THREADS=1]
guard CommandLine.arguments.count <= 2, let threads = Int(CommandLine.arguments.dropFirst().first ?? "1"), threads > 0
else {
    print("usage: dht-bench-host [THREADS=1]")
    exit(64)
}

do throws(Errno) {
    var loops: [EventLoop] = []
    for _ in 0..<threads { loops.append(try EventLoop()) }
    let all = loops
    all[0].execute {
        do throws(Errno) { try Host.run(on: all) } catch { exit(71) }
    }
    while true { pause() }
} catch {
    exit(71)
}
