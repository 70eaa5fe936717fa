// Loads one node of the DHT on 127.0.0.1 with requests, and prints one line of JSON about its answers.
import EventLoop
import Glibc

/// usage: dht-bench-load PORT ping|get|find SECONDS WINDOW PID
let words = CommandLine.arguments
guard words.count == 6, let port = UInt16(words[1]), let mode = Load.Mode(rawValue: words[2]),
    let seconds = Double(words[3]), let window = Int(words[4]), window > 0, let process = pid_t(words[5])
else {
    print("usage: dht-bench-load PORT ping|get|find SECONDS WINDOW PID")
    exit(64)
}

do throws(Errno) {
    let loop = try EventLoop()
    loop.execute {
        do throws(Errno) {
            let load = try Load(
                on: loop, port: port, mode: mode, window: window, duration: .seconds(seconds), process: process)
            try load.start { report in
                print(report)
                exit(0)
            }
        } catch { exit(71) }
    }
    while true { pause() }
} catch { exit(71) }
