import SansIO

/// What the command line says.
struct Options: Sendable {
    var usesTCP = false
    /// Whether connections are opened from both sides at once.
    var opensSimultaneously = false
    var mapsPorts = false
    /// Whether names are told instead of the host's addresses.
    var namesHosts = false
    /// Whether the next ports of a NAT that counts them up are guessed.
    var predictsPorts = false
    /// How long to talk before the end, for networks that change meanwhile.
    var talk: Duration?
    /// Whether random ports are probed.
    var probesRandomPorts = false
    /// The addresses of the STUN and TURN server, the second one of IPv4 for guessing; user `user`, password `pass`.
    var servers = [IPAddress.v4(0x1400_000A), .v6(high: 0x2001_0DB8_000F_0000, low: 0x10)]
    var folder = ""
    var me = ""
    var other = ""
    var usesRelays = false
    var limit = Duration.seconds(12)

    init?(_ arguments: some Sequence<String>) {
        var words = Array(arguments)
        while let option = words.first, option.hasPrefix("--") {
            words.removeFirst()
            switch option {
            case "--tcp": usesTCP = true
            case "--simultaneous": opensSimultaneously = true
            case "--map": mapsPorts = true
            case "--names": namesHosts = true
            case "--predict":
                predictsPorts = true
                servers.append(.v4(0x1400_000B))
            case "--talk":
                guard let milliseconds = words.first.flatMap({ Int($0) }), milliseconds > 0 else { return nil }
                talk = .milliseconds(milliseconds)
                words.removeFirst()
            case "--birthday":
                probesRandomPorts = true
                servers.append(.v4(0x1400_000B))
            case "--server":
                guard let address = words.first.flatMap({ IPAddress($0) }) else { return nil }
                servers = [address]
                words.removeFirst()
            default: return nil
            }
        }
        guard words.count == 5, let milliseconds = Int(words[4]), milliseconds > 0 else { return nil }
        (folder, me, other) = (words[0], words[1], words[2])
        usesRelays = words[3] == "1"
        limit = .milliseconds(milliseconds)
    }
}
