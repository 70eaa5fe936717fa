// One side of a session between two processes that share a folder, for networks that are tried out:
//
//     ice-peer [--tcp [--simultaneous]] [--map] [--names] [--predict] [--birthday] [--talk MS] [--server ADDRESS]
//              DIR ME OTHER TURN LIMIT_MS
//
// Gathers, writes its description to DIR/ME, waits for DIR/OTHER, connects, sends small packets until 20 of the other side
// have come, and prints one JSON object. The one whose name comes first controls. TURN is 1 to use relays too;
// --simultaneous offers connections that both sides open, --map asks gateways for ports,
// --names tells `.local` names instead of addresses, --predict guesses ports, --birthday probes random ones where TURN is not 1.
// With --talk both go on for so long, and what is printed tells the longest silence; they must still hear each other then.
import EventLoop
import Glibc

guard let options = Options(CommandLine.arguments.dropFirst()) else {
    print("usage: ice-peer [OPTION]... DIR ME OTHER TURN LIMIT_MS")
    exit(64)
}
do throws(Errno) {
    let loop = try EventLoop()
    loop.execute { Peer(options, on: loop).start() }
    while true { pause() }
} catch {
    print("{\"ok\":false,\"error\":\"\(error)\"}")
    exit(71)
}
