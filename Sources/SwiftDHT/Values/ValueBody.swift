internal import SansIO

/// The readable part of a value: what is signed, and what is encrypted for a recipient.
public struct ValueBody: Hashable, Sendable {
    /// Counts the edits of a signed value; written for signed bodies only.
    public var sequence: UInt16
    /// The signer's DER SubjectPublicKeyInfo; `nil` when unsigned.
    public var owner: [UInt8]?
    /// The key identifier of the only reader; written for signed bodies only.
    public var recipient: InfoHash?
    /// What the data is; decides lifetime and storage rules.
    public var type: ValueType
    /// The application's bytes.
    public var data: [UInt8]
    /// The application's own name of the data's kind; empty when there is none.
    public var userType: String

    /// Joins the parts of a body.
    public init(
        type: ValueType, data: [UInt8], userType: String = "", sequence: UInt16 = 0, owner: [UInt8]? = nil,
        recipient: InfoHash? = nil
    ) {
        self.type = type
        self.data = data
        self.userType = userType
        self.sequence = sequence
        self.owner = owner
        self.recipient = recipient
    }

    /// The bytes a signature covers: the packed body, keys in the order every release emits.
    public var signedBytes: [UInt8] {
        var writer = MessagePackWriter(capacity: data.count + (owner?.count ?? 0) + 64)
        write(to: &writer)
        return writer.bytes
    }

    @_lifetime(reader: copy reader)
    init(from reader: inout MessagePackReader) throws(WireError) {
        let start = reader.offset
        var (sequence, owner, recipient): (UInt16?, [UInt8]?, InfoHash?) = (nil, nil, nil)
        var (type, data, userType): (ValueType?, [UInt8]?, String) = (nil, nil, "")
        for _ in 0..<(try reader.readMapHeader()) {
            switch try reader.readKey() {
            case .sequence: sequence = try reader.readInteger()
            case .owner: owner = try reader.readBlob()
            case .recipient: recipient = try reader.readHash(.valueRecipient)
            case .type: type = ValueType(rawValue: try reader.readInteger())
            case .data: data = try reader.readBlob()
            case .userType: userType = try reader.readString()
            default: try reader.skip()
            }
        }
        guard let type, let data else { throw .malformed(.valueBody, at: start) }
        if owner != nil, sequence == nil { throw .malformed(.valueOwner, at: start) }
        self.init(
            type: type, data: data, userType: userType, sequence: owner == nil ? 0 : sequence ?? 0, owner: owner,
            recipient: owner == nil ? nil : recipient)
    }

    var packedSize: Int {
        var size = 1 + Key.type.packedSize + MessagePackWriter.size(of: UInt64(type.rawValue))
        size += Key.data.packedSize + MessagePackWriter.size(ofBinary: data.count)
        if let owner {
            size += Key.sequence.packedSize + MessagePackWriter.size(of: UInt64(sequence))
            size += Key.owner.packedSize + MessagePackWriter.size(ofBinary: owner.count)
            if recipient != nil { size += Key.recipient.packedSize + InfoHash.packedSize }
        }
        if !userType.isEmpty {
            size += Key.userType.packedSize + MessagePackWriter.size(ofText: userType.utf8.count)
        }
        return size
    }

    func write(to writer: inout MessagePackWriter) {
        let signed = owner == nil ? 0 : recipient == nil ? 2 : 3
        writer.writeMapHeader(2 + signed + (userType.isEmpty ? 0 : 1))
        if let owner {
            writer.write(Key.sequence)
            writer.write(sequence)
            writer.write(Key.owner)
            writer.write(owner)
            if let recipient {
                writer.write(Key.recipient)
                recipient.write(to: &writer)
            }
        }
        writer.write(upTo: 32) { output in
            output.append(Key.type)
            output.append(packed: UInt64(type.rawValue))
            output.append(Key.data)
        }
        writer.write(data)
        if !userType.isEmpty {
            writer.write(Key.userType)
            writer.write(userType)
        }
    }
}
