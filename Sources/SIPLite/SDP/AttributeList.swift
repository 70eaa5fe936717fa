/// One attribute line of a description.
public struct Attribute: Hashable, Sendable {
    /// What stands before the colon.
    public var name: String
    /// What stands after the colon; `nil` for a flag.
    public var value: String?

    /// Makes an attribute.
    public init(_ name: String, _ value: String? = nil) {
        self.name = name
        self.value = value
    }
}

/// Attributes in the order of their lines.
public struct AttributeList: Hashable, Sendable, ExpressibleByArrayLiteral {
    /// All attributes.
    public var all: [Attribute]

    /// Lists attributes.
    public init(_ all: [Attribute] = []) { self.all = all }

    /// Lists attributes.
    public init(arrayLiteral elements: Attribute...) { all = elements }

    /// The values of every attribute of a name, in order.
    public func values(_ name: String) -> [String] {
        all.compactMap { $0.name == name ? $0.value : nil }
    }

    /// The value of the first attribute of a name.
    public func first(_ name: String) -> String? {
        all.first { $0.name == name && $0.value != nil }?.value
    }

    /// Whether an attribute of a name is there, with or without a value.
    public func contains(_ name: String) -> Bool { all.contains { $0.name == name } }

    /// Adds an attribute at the end.
    public mutating func append(_ name: String, _ value: String? = nil) { all.append(Attribute(name, value)) }

    /// Removes every attribute of a name.
    public mutating func remove(_ name: String) { all.removeAll { $0.name == name } }

    /// The ICE credentials, if both parts are there.
    public var credentials: ICECredentials? {
        guard let fragment = first("ice-ufrag"), let password = first("ice-pwd") else { return nil }
        return ICECredentials(usernameFragment: fragment, password: password)
    }

    /// The direction, if one is given.
    public var direction: MediaDirection? {
        all.lazy.compactMap { $0.value == nil ? MediaDirection(rawValue: $0.name) : nil }.first
    }
}

/// Which way media flows, seen from the side that wrote the description (RFC 3264 §5.1).
public enum MediaDirection: String, Hashable, Sendable, CaseIterable {
    /// Both ways.
    case sendReceive = "sendrecv"
    /// From the writer only.
    case sendOnly = "sendonly"
    /// To the writer only.
    case receiveOnly = "recvonly"
    /// Neither way.
    case inactive

    /// Whether the writer sends.
    public var sends: Bool { self == .sendReceive || self == .sendOnly }
    /// Whether the writer receives.
    public var receives: Bool { self == .sendReceive || self == .receiveOnly }

    /// The direction with these two facts.
    public init(sends: Bool, receives: Bool) {
        self =
            switch (sends, receives) {
            case (true, true): .sendReceive
            case (true, false): .sendOnly
            case (false, true): .receiveOnly
            case (false, false): .inactive
            }
    }

    /// The same direction seen from the other side.
    public var reversed: MediaDirection { MediaDirection(sends: receives, receives: sends) }

    /// What both wishes allow.
    public func intersection(_ other: MediaDirection) -> MediaDirection {
        MediaDirection(sends: sends && other.sends, receives: receives && other.receives)
    }
}
