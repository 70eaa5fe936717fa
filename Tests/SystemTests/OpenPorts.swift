import Foundation
import SansIO

/// The ports a process has open, from the kernel's tables, and nonsense to send to them.
enum OpenPorts {
    enum Kind: String, Sendable {
        case udp
        case tcp
    }

    /// The local ports of a process: bound ones of UDP, listening ones of TCP.
    static func find(of pid: pid_t, _ kind: Kind) throws -> [UInt16] {
        let sockets = try sockets(of: pid)
        let table = try String(contentsOfFile: "/proc/net/\(kind.rawValue)", encoding: .utf8)
        return table.split(separator: "\n").dropFirst().compactMap { line in
            let columns = line.split(separator: " ")
            guard columns.count > 9, sockets.contains(String(columns[9])), kind == .udp || columns[3] == "0A" else {
                return nil
            }
            return columns[1].split(separator: ":").last.flatMap { UInt16($0, radix: 16) }
        }
    }

    /// The inodes of a process's sockets.
    private static func sockets(of pid: pid_t) throws -> Set<String> {
        let folder = "/proc/\(pid)/fd"
        let links = try FileManager.default.contentsOfDirectory(atPath: folder).compactMap {
            try? FileManager.default.destinationOfSymbolicLink(atPath: folder + "/" + $0)
        }
        return Set(links.filter { $0.hasPrefix("socket:[") }.map { String($0.dropFirst(8).dropLast()) })
    }

    /// Bytes of any kind, some beginning as packets of the protocols in use do.
    static func garbage(using random: inout RandomSource) -> [UInt8] {
        var bytes = random.bytes(Int.random(in: 0...1_400, using: &random))
        let heads: [[UInt8]] = [
            [], [0, 1, 0, 8, 0x21, 0x12, 0xA4, 0x42], [22, 0xFE, 0xFD], [20, 0xFE, 0xFD], [0x80, 104], [0x81, 201],
            [0x85, 0xA1, 0x71], [0xFF], [0x16, 3, 1], [0, 0],
        ]
        let head = heads[Int.random(in: 0..<heads.count, using: &random)]
        bytes.replaceSubrange(0..<min(head.count, bytes.count), with: head)
        return bytes
    }

    /// Sends nonsense to one port of the loopback interface: many datagrams, or a few connections.
    static func attack(_ port: UInt16, _ kind: Kind, using random: inout RandomSource) {
        switch kind {
        case .udp:
            let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            defer { close(descriptor) }
            for _ in 0..<100 { send(garbage(using: &random), over: descriptor, to: port) }
        case .tcp:
            for _ in 0..<5 {
                let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
                defer { close(descriptor) }
                var address = address(port)
                let connected = withUnsafePointer(to: &address) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                    }
                }
                guard connected == 0 else { continue }
                let bytes = garbage(using: &random)
                _ = bytes.withUnsafeBytes {
                    Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
            }
        }
    }

    private static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    private static func send(_ bytes: [UInt8], over descriptor: Int32, to port: UInt16) {
        var address = address(port)
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
                bytes.withUnsafeBytes {
                    sendto(descriptor, $0.baseAddress, $0.count, 0, target, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
    }

    /// Holds a free UDP port of the loopback interface and never reads from it.
    final class Holder: Sendable {
        let port: UInt16
        private let descriptor: Int32

        init?() {
            let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            var address = OpenPorts.address(0)
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let status = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
                    bind(descriptor, target, length) == 0 ? getsockname(descriptor, target, &length) : -1
                }
            }
            (self.descriptor, port) = (descriptor, UInt16(bigEndian: address.sin_port))
            guard status == 0 else { return nil }
        }

        deinit { close(descriptor) }
    }
}
