package import SansIO

/// "This device belongs to this account", signed by the account and kept at the account's own key on the DHT.
package struct DeviceAnnouncement: Hashable, Sendable {
    /// The device's 20-byte identifier.
    package let device: [UInt8]
    /// The device's public key as DER SubjectPublicKeyInfo; absent in announcements of 2019.
    package let publicKey: [UInt8]?

    package init(device: [UInt8], publicKey: [UInt8]?) {
        self.device = device
        self.publicKey = publicKey
    }

    package init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = MessagePackReader(bytes.span)
        var device: [UInt8]?
        var publicKey: [UInt8]?
        for _ in 0..<(try reader.readMapHeader()) {
            switch try reader.readString() {
            case "dev": device = try reader.readBlob()
            case "pk": publicKey = try reader.readBlob()
            default: try reader.skip()
            }
        }
        guard let device, device.count == 20 else { throw .malformed("dev", at: 0) }
        self.device = device
        self.publicKey = publicKey
    }

    package var encoded: [UInt8] {
        var writer = MessagePackWriter(capacity: 640)
        writer.writeMapHeader(publicKey == nil ? 1 : 2)
        writer.write("dev")
        writer.write(device)
        if let publicKey {
            writer.write("pk")
            writer.write(publicKey)
        }
        return writer.bytes
    }
}
