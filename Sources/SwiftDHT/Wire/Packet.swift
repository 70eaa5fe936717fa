package import SansIO

extension WireError.Field {
    static let envelope: Self = "envelope"
    static let method: Self = "method"
    static let sender: Self = "sender id"
    static let key: Self = "key"
    static let token: Self = "token"
    static let address: Self = "address"
    static let fragment: Self = "fragment"
    static let errorCode: Self = "error"
    static let list: Self = "list"
}

/// One datagram of the protocol.
package struct Packet: Hashable, Sendable {
    /// What a datagram says.
    package enum Message: Hashable, Sendable {
        case request(Request)
        case reply(Reply)
        case failure(code: UInt64, text: String, sender: NodeID)
        case update(LegacyUpdate)
        case fragments([Fragment])
    }

    package var message: Message
    package var transaction: UInt32
    /// The network's number; packets of other networks are dropped.
    package var network: UInt32
    /// Whether the sender only asks and wants to be known by nobody.
    package var isClient: Bool
    /// The sender's software; not interpreted.
    package var agent: String

    package init(
        _ message: Message, transaction: UInt32, network: UInt32 = 0, isClient: Bool = false, agent: String = ""
    ) {
        self.message = message
        self.transaction = transaction
        self.network = network
        self.isClient = isClient
        self.agent = agent
    }

    /// Who says to have sent it; fragments do not say.
    package var sender: NodeID? {
        switch message {
        case .request(let request): request.sender
        case .reply(let reply): reply.sender
        case .failure(_, _, let sender): sender
        case .update(let update): update.sender
        case .fragments: nil
        }
    }
}

/// What one node asks of another.
package struct Request: Hashable, Sendable {
    package var sender: NodeID
    package var method: Method

    package init(sender: NodeID, method: Method) {
        self.sender = sender
        self.method = method
    }

    /// The method with its arguments. Keys are optional where their absence has an error of its own.
    package enum Method: Hashable, Sendable {
        case ping
        case find(target: NodeID, want: Want?)
        case get(key: InfoHash?, query: ValueQuery?, want: Want?)
        case put(key: InfoHash?, values: [ValueItem], token: [UInt8], created: Int64?)
        case refresh(key: InfoHash?, id: Value.ID, token: [UInt8])
        case listen(key: InfoHash?, token: [UInt8], socket: UInt32, version: Int64?, query: ValueQuery?)
        case update(Update)

        package var name: String {
            switch self {
            case .ping: "ping"
            case .find: "find"
            case .get: "get"
            case .put: "put"
            case .refresh: "refresh"
            case .listen: "listen"
            case .update: "update"
            }
        }

        var key: Key.Method {
            switch self {
            case .ping: .ping
            case .find: .find
            case .get: .get
            case .put: .put
            case .refresh: .refresh
            case .listen: .listen
            case .update: .update
            }
        }
    }

    /// Which families of nodes an answer shall list; without it, the asker's own.
    package struct Want: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        package static let v4 = Want(rawValue: 1)
        package static let v6 = Want(rawValue: 2)
    }
}

/// News for a listener.
package struct Update: Hashable, Sendable {
    /// The listener's socket; the only thing `exp` and `re` updates name.
    package var socket: UInt32
    package var key: InfoHash?
    package var version: Int64?
    package var values: [ValueItem] = []
    package var created: Int64?
    package var token: [UInt8] = []
    package var refreshed: [Value.ID] = []
    package var expired: [Value.ID] = []

    package init(socket: UInt32) { self.socket = socket }
}

/// News for a listener of protocol version 0: refreshed and expired values. New ones come as a ``Reply``.
package struct LegacyUpdate: Hashable, Sendable {
    package var sender: NodeID
    package var token: [UInt8]
    package var refreshed: [Value.ID]
    package var expired: [Value.ID]
}

/// The answer to a request.
package struct Reply: Hashable, Sendable {
    package var sender: NodeID
    /// The stored value a put or refresh is answered for.
    package var valueID: Value.ID?
    /// The asker's address as the answerer saw it.
    package var observed: IPAddress?
    /// The asker's port as the answerer saw it, which only nodes like this one tell.
    package var observedPort: UInt16?
    package var nodes4: [CompactNode] = []
    package var nodes6: [CompactNode] = []
    package var token: [UInt8] = []
    package var values: [ValueItem] = []
    package var fields: FieldTable?

    package init(sender: NodeID, observed: IPAddress? = nil) {
        self.sender = sender
        self.observed = observed
    }

    /// An answer that tells the asker where it is seen.
    package init(sender: NodeID, seeing asker: Endpoint) {
        self.init(sender: sender, observed: asker.address)
        observedPort = asker.port
    }
}

/// One entry of a `values` list.
package enum ValueItem: Hashable, Sendable {
    case whole(Value)
    /// A value that is packed already; written only, never read.
    case packed([UInt8])
    /// The packed size of a value whose fragments follow.
    case announced(Int)
}

/// A piece of a value that an earlier message announced.
package struct Fragment: Hashable, Sendable {
    /// Which entry of the announcing `values` list.
    package var index: Int
    package var offset: Int
    package var bytes: [UInt8]

    /// How many bytes a sender puts into one fragment.
    package static let sizeLimit = 1280

    package init(index: Int, offset: Int, bytes: [UInt8]) {
        (self.index, self.offset, self.bytes) = (index, offset, bytes)
    }
}
