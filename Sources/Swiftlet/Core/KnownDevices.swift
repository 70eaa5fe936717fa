internal import SecureChannel

/// The accounts of devices that proved them, so that a device that comes back need not be looked for again.
struct KnownDevices: Sendable {
    private let limit: Int
    private var accounts: [DeviceID: AccountID] = [:]
    /// Devices in the order they were learnt, oldest first.
    private var order: [DeviceID] = []

    init(limit: Int) { self.limit = max(1, limit) }

    func account(of device: DeviceID) -> AccountID? { accounts[device] }

    /// Keeps what a device proved; forgets the device learnt first where there are too many.
    mutating func learn(_ device: DeviceID, of account: AccountID) {
        if accounts.updateValue(account, forKey: device) == nil { order.append(device) }
        if order.count > limit { accounts[order.removeFirst()] = nil }
    }
}
