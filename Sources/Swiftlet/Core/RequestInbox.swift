internal import SecureChannel
internal import SwiftDHT

/// What came into our mailboxes: which values and requests were seen, and which wait for their sender's certificate.
struct RequestInbox: Sendable {
    /// Values that were looked at, so that a renewed push costs nothing.
    private var seenValues: BoundedSet<Value.ID>
    private var treated: BoundedSet<UInt64>
    /// Mail by sender, until the sender's certificate is known.
    private var waiting: [DeviceID: [Mail]] = [:]
    /// How many values are being decrypted.
    var opening = 0
    /// Values that wait to be decrypted, and what for.
    var unopened = BoundedStack<(Value, NodeCore.Purpose)>()

    init(treated: [UInt64], limit: Int) {
        self.treated = BoundedSet(limit: limit)
        seenValues = BoundedSet(limit: limit)
        for id in treated { _ = self.treated.insert(id) }
    }

    /// How many senders' certificates are awaited.
    var waitingCount: Int { waiting.count }

    /// Marks a value as seen, or as our own; returns whether it is new.
    mutating func see(_ value: Value.ID) -> Bool { seenValues.insert(value) }

    /// Marks a request as treated; returns whether it is new.
    mutating func treat(_ request: UInt64) -> Bool { treated.insert(request) }

    /// How many letters of one sender wait at a time; more are not kept.
    static let mailPerSenderLimit = 4

    /// Keeps mail until its sender is known; returns whether the sender must be looked for.
    mutating func hold(_ mail: Mail, from sender: DeviceID) -> Bool {
        let count = waiting[sender]?.count ?? 0
        if count < Self.mailPerSenderLimit { waiting[sender, default: []].append(mail) }
        return count == 0
    }

    /// The mail of a sender, which waits no longer.
    mutating func release(_ sender: DeviceID) -> [Mail] { waiting.removeValue(forKey: sender) ?? [] }

    func holds(_ sender: DeviceID) -> Bool { waiting[sender] != nil }
}

/// A stack that forgets its oldest elements beyond a limit.
struct BoundedStack<Element: Sendable>: Sendable {
    private var elements: [Element] = []

    /// Adds an element; returns whether another was forgotten for it.
    mutating func push(_ element: Element, limit: Int) -> Bool {
        elements.append(element)
        guard elements.count > max(1, limit) else { return false }
        elements.removeFirst()
        return true
    }

    /// Removes and returns the newest element.
    mutating func pop() -> Element? { elements.popLast() }
}

/// A set that forgets its oldest members beyond a limit.
struct BoundedSet<Element: Hashable & Sendable>: Sendable {
    private let limit: Int
    private var members: Set<Element> = []
    /// Members in order of insertion, as a ring once the limit is reached.
    private var order: [Element] = []
    private var oldest = 0

    init(limit: Int) { self.limit = max(1, limit) }

    func contains(_ element: Element) -> Bool { members.contains(element) }

    /// Adds a member; returns whether it is new.
    mutating func insert(_ element: Element) -> Bool {
        guard members.insert(element).inserted else { return false }
        if order.count < limit {
            order.append(element)
        } else {
            members.remove(order[oldest])
            order[oldest] = element
            oldest = (oldest + 1) % limit
        }
        return true
    }
}
