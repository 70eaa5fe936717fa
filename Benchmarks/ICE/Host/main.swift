// Hosts ICE sessions on one thread, driven by lines on standard input (see Host.swift):
//
//     ice-bench-host [--stun ADDRESS:PORT] [--turn|--turn-tcp|--turn-tls ADDRESS:PORT]
//         [--authority FILE|--any-server] [--relay-only] [--tcp]
//
// --authority names a certificate that servers are trusted by, --any-server trusts them all instead of the system's.
// User and password of the TURN server are `user` and `pass`.
import EventLoop
import Glibc

guard let options = Options(CommandLine.arguments.dropFirst()) else { exit(64) }
do throws(Errno) {
    let loop = try EventLoop()
    loop.execute {
        do throws(Errno) { try Host.run(options, on: loop) } catch { exit(71) }
    }
    while true { pause() }
} catch {
    exit(71)
}
