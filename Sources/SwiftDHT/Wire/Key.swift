internal import SansIO

/// A map key of the protocol, as the big-endian number its ASCII bytes form.
///
/// All keys have at most eight bytes, so that telling them apart is one comparison and no text is built.
enum Key: UInt64 {
    // The envelope.
    case kind = 0x79  // y
    case transaction = 0x74  // t
    case agent = 0x76  // v
    case network = 0x6E  // n
    case client = 0x73  // s, also "select" of a query
    case query = 0x71  // q, the method in an envelope
    case arguments = 0x61  // a
    case reply = 0x72  // r
    case error = 0x65  // e
    case priority = 0x70  // p, fragments in an envelope
    case update = 0x75  // u
    // Bodies.
    case identifier = 0x6964  // id
    case address = 0x7361  // sa
    case port = 0x7370  // sp, of our own: stock readers pass over keys they do not know
    case hash = 0x68  // h
    case target = 0x7461_7267_6574  // target
    case want = 0x77  // w, also "where" of a query
    case nodes4 = 0x6E34  // n4
    case nodes6 = 0x6E36  // n6
    case token = 0x74_6F6B_656E  // token
    case values = 0x7661_6C75_6573  // values
    case fields = 0x6669_6C65_6473  // fileds: the misspelling is the protocol
    case valueID = 0x766964  // vid
    case created = 0x63  // c
    case socket = 0x736964  // sid
    case version = 0x7665  // ve
    case expired = 0x657870  // exp
    case refreshed = 0x7265  // re
    // Queries and field tables.
    case field = 0x66  // f
    // Fragments.
    case offset = 0x6F  // o
    case piece = 0x64  // d
    // Values.
    case valueData = 0x646174  // dat
    case pushType = 0x7074  // pt
    case body = 0x626F_6479  // body
    case signature = 0x736967  // sig
    case sequence = 0x736571  // seq
    case owner = 0x6F_776E_6572  // owner
    case recipient = 0x746F  // to
    case type = 0x7479_7065  // type
    case data = 0x6461_7461  // data
    case userType = 0x75_7479_7065  // utype
    // Exported nodes.
    case socketAddress = 0x6164_6472  // addr
    // Announcements over multicast.
    case discovery = 0x64_6874  // dht

    /// The identifier of a value has the key of a node's.
    static let valueIdentifier = Key.identifier

    init?(_ bytes: Span<UInt8>) {
        guard let word = bytes.asciiWord else { return nil }
        self.init(rawValue: word)
    }

    /// How many bytes the key takes.
    var packedSize: Int { 1 + (71 - rawValue.leadingZeroBitCount) / 8 }

    /// The methods of requests, in the same form.
    enum Method: UInt64 {
        case ping = 0x7069_6E67
        case find = 0x6669_6E64
        case get = 0x67_6574
        case put = 0x70_7574
        case refresh = 0x72_6566_7265_7368
        case listen = 0x6C69_7374_656E
        case update = 0x7570_6461_7465

        init?(_ bytes: Span<UInt8>) {
            guard let word = bytes.asciiWord else { return nil }
            self.init(rawValue: word)
        }
    }
}

extension Span<UInt8> {
    /// One to eight bytes as the big-endian number they form.
    fileprivate var asciiWord: UInt64? {
        guard (1...8).contains(count) else { return nil }
        var word: UInt64 = 0
        for index in indices { word = word << 8 | UInt64(self[index]) }
        return word
    }
}

extension MessagePackWriter {
    /// Writes a map key, or one of the words of an envelope that are spelled like one.
    mutating func write(_ key: Key) { write(ascii: key.rawValue) }
}

extension OutputSpan<UInt8> {
    /// Appends a map key: at most nine bytes.
    @_lifetime(self: copy self)
    mutating func append(_ key: Key) { append(ascii: key.rawValue) }
}

extension MessagePackReader {
    /// Reads a map key; `nil` for keys that are not text or not of the protocol, which receivers ignore.
    @_lifetime(self: copy self)
    mutating func readKey() throws(WireError) -> Key? {
        if let word = try readWord() { return Key(rawValue: word) }
        guard try peek() == .string else {
            try skip()
            return nil
        }
        return Key(try takeString())
    }

    /// Reads an identifier: `bin` of exactly 20 bytes.
    @_lifetime(self: copy self)
    mutating func readHash(_ field: WireError.Field) throws(WireError) -> InfoHash {
        let start = offset
        guard let hash = InfoHash(try takeBinary()) else { throw .malformed(field, at: start) }
        return hash
    }
}
