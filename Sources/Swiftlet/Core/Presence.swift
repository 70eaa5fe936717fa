internal import SecureChannel
internal import SwiftDHT

/// A device as its account announces it.
struct AnnouncedDevice: Hashable, Sendable {
    let id: DeviceID
    /// Its key; peers of 2019 announce none.
    let key: PublicKey?

    /// Reads an announcement, whose signature the DHT has checked; `nil` for anything that is not one of `account`.
    init?(_ value: Value, of account: AccountID) {
        guard value.type == .userData, value.ownerID == InfoHash(account),
            let data = value.body?.data, let announcement = try? DeviceAnnouncement(decoding: data),
            let id = DeviceID(decoding: announcement.device)
        else { return nil }
        self.id = id
        let key = announcement.publicKey.flatMap { try? PublicKey(der: $0) }
        self.key = key?.shortID == id ? key : nil
    }
}

/// Which devices of a contact are there, by the announcements that live on the DHT.
struct Presence: Sendable {
    /// The operation that listens for announcements.
    let operation: OperationID
    /// What each device of the contact is to be told of our acquaintance, once.
    var letter: TrustRequest?
    /// The living announcements in the order they came.
    private var announcements: [(value: Value.ID, device: AnnouncedDevice)] = []
    private var told: [DeviceID] = []

    /// How many announcements of one account count.
    static let announcementLimit = 64

    init(operation: OperationID) { self.operation = operation }

    var isOnline: Bool { !announcements.isEmpty }

    /// The devices that are there, each once.
    var devices: [AnnouncedDevice] {
        var devices: [AnnouncedDevice] = []
        for announcement in announcements where !devices.contains(where: { $0.id == announcement.device.id }) {
            devices.append(announcement.device)
        }
        return devices
    }

    mutating func appeared(_ value: Value.ID, _ device: AnnouncedDevice) {
        announcements.removeAll { $0.value == value }
        if announcements.count < Self.announcementLimit { announcements.append((value, device)) }
    }

    mutating func disappeared(_ value: Value.ID) { announcements.removeAll { $0.value == value } }

    /// Has every device told again.
    mutating func forgetTold() { told = [] }

    /// The devices that were not told yet, which count as told from here on.
    mutating func takeUntold() -> [AnnouncedDevice] {
        guard letter != nil else { return [] }
        let untold = devices.filter { !told.contains($0.id) }
        told += untold.map(\.id)
        return untold
    }
}
