public import SansIO

/// A message of multicast DNS, as far as it is about the addresses of hosts (RFC 6762 §18); other records are passed over.
public struct DNSMessage: Hashable, Sendable {
    /// What is asked.
    public struct Question: Hashable, Sendable {
        /// The name asked about.
        public var name: DNSName
        /// The type of record asked for; see ``DNSMessage/addressType(of:)``.
        public var type: UInt16
        /// Whether the answer may come to us alone (RFC 6762 §5.4).
        public var wantsUnicast: Bool

        /// Asks for records of a type.
        public init(_ name: DNSName, type: UInt16, wantsUnicast: Bool = false) {
            self.name = name
            self.type = type
            self.wantsUnicast = wantsUnicast
        }
    }

    /// An address of a host.
    public struct Answer: Hashable, Sendable {
        /// The host's name.
        public var name: DNSName
        /// Its address.
        public var address: IPAddress
        /// How long that holds, in seconds.
        public var lifetimeSeconds: UInt32
        /// Whether nobody else has addresses of that name, so that those known from earlier are void (RFC 6762 §10.2).
        public var isUnique: Bool

        /// Tells an address.
        public init(_ name: DNSName, _ address: IPAddress, lifetimeSeconds: UInt32, isUnique: Bool = false) {
            self.name = name
            self.address = address
            self.lifetimeSeconds = lifetimeSeconds
            self.isUnique = isUnique
        }
    }

    /// How many questions and records of one message are read.
    public static let recordLimit = 256
    private static let internet: UInt16 = 1
    private static let response: UInt16 = 0x8000
    /// Bits of the flags that are other than a plain query's or answer's: the operation and the result.
    private static let unusual: UInt16 = 0x780F
    /// The highest bit of a class: a unicast answer is fine, or former records are void (RFC 6762 §18.12, §18.13).
    private static let topBit: UInt16 = 0x8000

    /// The number an answer of a unicast question repeats; else 0.
    public var id: UInt16
    /// Whether the message answers.
    public var isResponse: Bool
    /// What is asked, or was.
    public var questions: [Question]
    /// Addresses that are told, wherever in the message.
    public var answers: [Answer]

    /// Makes a message.
    public init(id: UInt16 = 0, isResponse: Bool = false, questions: [Question] = [], answers: [Answer] = []) {
        self.id = id
        self.isResponse = isResponse
        self.questions = questions
        self.answers = answers
    }

    /// The type of records that hold addresses of a family: A or AAAA.
    public static func addressType(of family: IPAddress.Family) -> UInt16 { family == .v4 ? 1 : 28 }

    /// Reads a message.
    public init(decoding bytes: [UInt8]) throws(WireError) {
        var offset = 0
        func word() throws(WireError) -> UInt16 {
            guard offset + 2 <= bytes.count else { throw .truncated(at: bytes.count) }
            defer { offset += 2 }
            return UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
        }
        id = try word()
        let flags = try word()
        guard flags & Self.unusual == 0 else { throw .malformed(.records, at: 2) }
        isResponse = flags & Self.response != 0
        let questionCount = Int(try word())
        var recordCount = 0
        for _ in 0..<3 { recordCount += Int(try word()) }
        guard questionCount + recordCount <= Self.recordLimit else {
            throw .overLimit(.records, limit: Self.recordLimit)
        }
        (questions, answers) = ([], [])
        for _ in 0..<questionCount {
            let name = try DNSName(in: bytes, at: &offset)
            let (type, kind) = (try word(), try word())
            guard kind & ~Self.topBit == Self.internet else { continue }
            questions.append(Question(name, type: type, wantsUnicast: kind & Self.topBit != 0))
        }
        for _ in 0..<recordCount {
            let name = try DNSName(in: bytes, at: &offset)
            let (type, kind) = (try word(), try word())
            let lifetime = UInt32(try word()) << 16 | UInt32(try word())
            let length = Int(try word())
            guard offset + length <= bytes.count else { throw .truncated(at: bytes.count) }
            let data = bytes[offset..<offset + length]
            if kind & ~Self.topBit == Self.internet, let address = try Self.address(type, data, at: offset) {
                let isUnique = kind & Self.topBit != 0
                answers.append(Answer(name, address, lifetimeSeconds: lifetime, isUnique: isUnique))
            }
            offset += length
        }
    }

    /// The address in the data of a record; `nil` of other records.
    private static func address(
        _ type: UInt16, _ data: ArraySlice<UInt8>, at offset: Int
    ) throws(WireError) -> IPAddress? {
        func integer<T: FixedWidthInteger>(_ bytes: ArraySlice<UInt8>) -> T { bytes.reduce(0) { $0 << 8 | T($1) } }
        switch (type, data.count) {
        case (addressType(of: .v4), 4): return .v4(integer(data))
        case (addressType(of: .v6), 16): return .v6(high: integer(data.prefix(8)), low: integer(data.suffix(8)))
        case (addressType(of: .v4), _), (addressType(of: .v6), _): throw .malformed(.recordData, at: offset)
        default: return nil
        }
    }

    /// The message without compression. Answers are authoritative, as those of multicast DNS are (RFC 6762 §18.4).
    public var bytes: [UInt8] {
        var writer = ByteWriter(capacity: 64)
        writer.write(id)
        writer.write(isResponse ? Self.response | 0x0400 : UInt16(0))
        writer.write(UInt16(clamping: questions.count))
        writer.write(UInt16(clamping: answers.count))
        writer.write(UInt32(0))
        for question in questions {
            writer.write(question.name.bytes)
            writer.write(question.type)
            writer.write(question.wantsUnicast ? Self.internet | Self.topBit : Self.internet)
        }
        for answer in answers {
            writer.write(answer.name.bytes)
            writer.write(Self.addressType(of: answer.address.family))
            writer.write(answer.isUnique ? Self.internet | Self.topBit : Self.internet)
            writer.write(answer.lifetimeSeconds)
            switch answer.address {
            case .v4(let address):
                writer.write(UInt16(4))
                writer.write(address)
            case .v6(let high, let low):
                writer.write(UInt16(16))
                writer.write(high)
                writer.write(low)
            }
        }
        return writer.bytes
    }
}
