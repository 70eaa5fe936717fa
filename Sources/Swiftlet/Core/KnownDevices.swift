internal import SecureChannel

/// What devices have proved, so that one that comes back need neither be looked for nor tried out again.
struct KnownDevices: Sendable {
    private struct Entry {
        var account: AccountID
        var dialect: Dialect?
    }

    private let limit: Int
    private var entries: [DeviceID: Entry] = [:]
    /// Devices in the order they were learnt, oldest first.
    private var order: [DeviceID] = []

    init(limit: Int) { self.limit = max(1, limit) }

    /// The account that a device belongs to.
    func account(of device: DeviceID) -> AccountID? { entries[device]?.account }

    /// The flow by which a device was last reached, or reached us.
    func dialect(of device: DeviceID) -> Dialect? { entries[device]?.dialect }

    /// Keeps what a device proved; forgets the device learnt first where there are too many.
    mutating func learn(_ device: DeviceID, of account: AccountID, speaking dialect: Dialect? = nil) {
        let entry = Entry(account: account, dialect: dialect ?? entries[device]?.dialect)
        if entries.updateValue(entry, forKey: device) == nil { order.append(device) }
        if order.count > limit { entries[order.removeFirst()] = nil }
    }
}
