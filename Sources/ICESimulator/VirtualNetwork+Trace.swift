internal import SwiftICE

extension VirtualNetwork {
    /// An effect on one line, STUN messages by what they say.
    static func text(_ effect: ICEAgent.Effect) -> String {
        switch effect {
        case .send(let bytes, let from, let to): "send \(text(bytes)) \(from) > \(to)"
        case .write(let bytes, let id): "write \(text(Array(bytes.dropFirst(2)))) on \(id)"
        case .selected(let pair, _): "selected \(pair.local.endpoint) > \(pair.remote.endpoint)"
        case .received(let bytes, _): "received \(bytes.count) bytes"
        default: "\(effect)"
        }
    }

    private static func text(_ bytes: [UInt8]) -> String {
        guard let message = try? Message(decoding: bytes) else { return "\(bytes.count) bytes" }
        let marks: [(AttributeType, String)] = [(.useCandidate, " nominating"), (.errorCode, " error")]
        let found = marks.filter { message.has($0.0) }.map(\.1).joined()
        return "\(message.type.messageClass)\(found) \(message.transaction.low & 0xFFFF)"
    }
}
