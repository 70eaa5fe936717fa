import SansIO
import Testing

@testable import SwiftDHT

/// Values know how long they are when packed: what is announced must be what follows.
@Suite struct PackedSizeTests {
    private static let counts = [0, 1, 31, 32, 127, 128, 255, 256, 65_535, 65_536]

    private func check(_ value: Value) { #expect(value.packedSize == value.packed.count, "\(value.packed.count)") }

    @Test(arguments: counts)
    func bytesOfEveryWidth(count: Int) {
        let bytes = [UInt8](repeating: 7, count: count)
        check(Value(id: Value.ID(1), data: bytes))
        check(Value(id: Value.ID(1), content: .encrypted(bytes)))
        check(Value(id: Value.ID(1), data: [], userType: String(repeating: "u", count: count)))
        let body = ValueBody(type: .userData, data: [1], owner: bytes)
        check(Value(id: Value.ID(1), content: .plain(body, signature: bytes)))
        check(Value(id: Value.ID(1), content: .encrypted([]), pushType: String(repeating: "p", count: count)))
    }

    @Test func integersOfEveryWidth() {
        for shift in 0..<64 {
            for number in [UInt64(1) << UInt64(shift), UInt64.max >> UInt64(shift)] {
                let body = ValueBody(
                    type: ValueType(rawValue: UInt16(truncatingIfNeeded: number)), data: [],
                    sequence: UInt16(truncatingIfNeeded: number), owner: [1], recipient: InfoHash(hashing: "to"))
                let content = Value.Content.plain(body, signature: [2])
                check(Value(id: Value.ID(number), content: content, priority: UInt32(truncatingIfNeeded: number)))
                check(Value(id: Value.ID(number), data: []))
            }
        }
    }
}
