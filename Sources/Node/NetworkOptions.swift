import ArgumentParser
import SansIO
import Swiftlet

/// Where a node lives, and where it enters the network.
struct NetworkOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where to enter the network; repeatable. 'none' waits to be found. (default: bootstrap.jami.net:4222)",
            valueName: "host:port"))
    var bootstrap: [String] = []

    @Option(help: ArgumentHelp("A local address to use; repeatable. (default: all but loopback)", valueName: "addr"))
    var bind: [String] = []

    @Option(help: "The UDP port of the DHT; 0 for any free one.")
    var port: UInt16 = 0

    @Flag(inversion: .prefixedNo, help: "Look for nodes on the machine's own links, and tell them of this one.")
    var discovery = true

    var hosts: [Node.Configuration.Bootstrap] {
        if bootstrap.contains("none") { return [] }
        return bootstrap.isEmpty ? [.jami] : bootstrap.compactMap(Node.Configuration.Bootstrap.init)
    }

    var addresses: [IPAddress] { bind.compactMap(IPAddress.init) }

    func validate() throws {
        for text in bootstrap where text != "none" && Node.Configuration.Bootstrap(text) == nil {
            throw ValidationError("'\(text)' is no HOST:PORT for --bootstrap.")
        }
        for text in bind where IPAddress(text) == nil {
            throw ValidationError("'\(text)' is no IP address for --bind.")
        }
    }

    /// Says what is being waited for, before names are looked up and hosts are asked.
    func noteJoining(_ printer: Printer) {
        let names = hosts.map(\.description).joined(separator: ", ")
        if !printer.isJSON, !names.isEmpty { printer.note("joining the network through \(names)…") }
    }
}
