import SansIO
import TestVectors
import Testing

@Suite("MessagePack")
struct MessagePackTests {
    /// A tree of objects, for the round trip only.
    indirect enum Tree: Equatable {
        case boolean(Bool)
        case integer(Int128)
        case text(String)
        case bytes([UInt8])
        case array([Tree])
        case map([(Tree, Tree)])

        static func == (left: Tree, right: Tree) -> Bool {
            switch (left, right) {
            case (.boolean(let left), .boolean(let right)): left == right
            case (.integer(let left), .integer(let right)): left == right
            case (.text(let left), .text(let right)): left == right
            case (.bytes(let left), .bytes(let right)): left == right
            case (.array(let left), .array(let right)): left == right
            case (.map(let left), .map(let right)):
                left.map(\.0) == right.map(\.0) && left.map(\.1) == right.map(\.1)
            default: false
            }
        }

        static func random(_ random: inout RandomSource, depth: Int) -> Tree {
            let count = [0, 1, 3, 15, 16, 31, 32, 40][Int(random.next() % 8)]
            switch random.next() % (depth > 0 ? 7 : 5) {
            case 0: return .boolean(random.next() & 1 == 0)
            case 1: return .integer(Int128(Int64(bitPattern: random.next()) >> Int64(random.next() % 64)))
            case 2: return .integer(Int128(random.next() | 1 << 63))
            case 3: return .text(random.hexDigits(count * Int(random.next() % 12)))
            case 4: return .bytes(random.bytes(count * Int(random.next() % 12)))
            case 5: return .array((0..<min(count, 17)).map { _ in .random(&random, depth: depth - 1) })
            default:
                return .map(
                    (0..<min(count, 16)).map { _ in
                        (.random(&random, depth: 0), .random(&random, depth: depth - 1))
                    })
            }
        }

        func write(to writer: inout MessagePackWriter) {
            switch self {
            case .boolean(let value): writer.write(value)
            case .integer(let value) where value < 0: writer.write(Int64(value))
            case .integer(let value): writer.write(UInt64(value))
            case .text(let value): writer.write(value)
            case .bytes(let value): writer.write(value)
            case .array(let items):
                writer.writeArrayHeader(items.count)
                for item in items { item.write(to: &writer) }
            case .map(let pairs):
                writer.writeMapHeader(pairs.count)
                for (key, value) in pairs {
                    key.write(to: &writer)
                    value.write(to: &writer)
                }
            }
        }

        static func read(_ reader: inout MessagePackReader, depth: Int = 0) throws(WireError) -> Tree? {
            guard depth < 40 else { throw .overLimit("nesting", limit: 40) }
            switch try reader.peek() {
            case .boolean: return .boolean(try reader.readBoolean())
            case .integer: return .integer(try reader.readInteger())
            case .string: return .text(try reader.readString())
            case .binary: return .bytes(try reader.readBlob())
            case .array:
                var items: [Tree] = []
                for _ in 0..<(try reader.readArrayHeader()) {
                    guard let item = try read(&reader, depth: depth + 1) else { return nil }
                    items.append(item)
                }
                return .array(items)
            case .map:
                var pairs: [(Tree, Tree)] = []
                for _ in 0..<(try reader.readMapHeader()) {
                    guard let key = try read(&reader, depth: depth + 1), let value = try read(&reader, depth: depth + 1)
                    else { return nil }
                    pairs.append((key, value))
                }
                return .map(pairs)
            case .null, .extension, .floatingPoint:
                try reader.skip()
                return nil
            }
        }
    }

    private func packed(_ write: (inout MessagePackWriter) -> Void) -> [UInt8] {
        var writer = MessagePackWriter()
        write(&writer)
        return writer.bytes
    }

    private func reading<Value>(_ bytes: [UInt8], _ body: (inout MessagePackReader) throws(WireError) -> Value)
        -> Result<
            Value, WireError
        >
    {
        var reader = MessagePackReader(bytes.span)
        do throws(WireError) { return .success(try body(&reader)) } catch { return .failure(error) }
    }

    @Test(
        "integers take their shortest form",
        arguments: [
            (0, "00"), (127, "7f"), (128, "cc80"), (255, "ccff"), (256, "cd0100"), (65535, "cdffff"),
            (65536, "ce00010000"),
            (4_294_967_295, "ceffffffff"), (4_294_967_296, "cf0000000100000000"), (Int64.max, "cf7fffffffffffffff"),
            (-1, "ff"), (-32, "e0"), (-33, "d0df"), (-128, "d080"), (-129, "d1ff7f"), (-32768, "d18000"),
            (-32769, "d2ffff7fff"), (-2_147_483_648, "d280000000"), (-2_147_483_649, "d3ffffffff7fffffff"),
            (Int64.min, "d38000000000000000"),
        ] as [(Int64, String)])
    func integers(value: Int64, expected: String) {
        let bytes = packed { $0.write(value) }
        #expect(bytes == hex(expected))
        #expect(reading(bytes) { reader throws(WireError) in try reader.readInteger(Int64.self) } == .success(value))
    }

    @Test("an integer that does not fit is malformed, whatever its width")
    func fitting() {
        for (bytes, fits) in [
            ("ff", false), ("cc80", true), ("cd0100", false), ("d0ff", false), ("cf00000000000000ff", true),
        ] {
            let result = reading(hex(bytes)) { reader throws(WireError) in try reader.readInteger(UInt8.self) }
            if fits {
                #expect((try? result.get()) != nil)
            } else {
                #expect(result == .failure(.malformed("integer", at: 0)))
            }
        }
        #expect(
            reading(hex("cfffffffffffffffff")) { reader throws(WireError) in try reader.readInteger(Int64.self) }
                == .failure(.malformed("integer", at: 0)))
    }

    @Test("lengths take their shortest form", arguments: [0, 15, 16, 31, 32, 255, 256, 65535, 65536])
    func lengths(count: Int) {
        let text = String(repeating: "a", count: count)
        let bytes = [UInt8](repeating: 7, count: count)
        let packedText = packed { $0.write(text) }
        let packedBytes = packed { $0.write(bytes) }
        #expect(packedText.count - count == (count < 32 ? 1 : count < 256 ? 2 : count < 65536 ? 3 : 5))
        #expect(packedBytes.count - count == (count < 256 ? 2 : count < 65536 ? 3 : 5))
        #expect(reading(packedText) { reader throws(WireError) in try reader.readString() } == .success(text))
        #expect(reading(packedBytes) { reader throws(WireError) in try reader.readBlob() } == .success(bytes))
        #expect(reading(packedText) { reader throws(WireError) in try reader.readBlob() } == .success(Array(text.utf8)))
        let list = packed {
            $0.writeArrayHeader(count)
            for byte in bytes { $0.write(byte) }
        }
        #expect(reading(list) { reader throws(WireError) in try reader.readBlob() } == .success(bytes))
        let map = packed {
            $0.writeMapHeader(count)
            for _ in 0..<count { $0.write(packed: [0, 0]) }
        }
        #expect(reading(map) { reader throws(WireError) in try reader.readMapHeader() } == .success(count))
    }

    @Test("words of one to eight bytes are read as numbers, and nothing else is touched")
    func words() throws {
        for text in ["a", "id", "target", "versions"] {
            var writer = MessagePackWriter()
            let word = text.utf8.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            writer.write(ascii: word)
            let bytes = writer.bytes
            var reader = MessagePackReader(bytes.span)
            #expect(try reader.readWord() == word && reader.isAtEnd)
            let cut = Array(bytes.dropLast())
            #expect(throws: WireError.truncated(at: cut.count)) {
                var reader = MessagePackReader(cut.span)
                return try reader.readWord()
            }
        }
        let tooLong = [0xA9] + Array("ninechars".utf8)
        let others: [[UInt8]] = [[], [0xA0], tooLong, [0xD9, 1, 0x61], [0xC4, 1, 0x61], [0x61]]
        for bytes in others {
            var reader = MessagePackReader(bytes.span)
            #expect(try reader.readWord() == nil && reader.offset == 0)
        }
    }

    @Test("trees round trip, and skipping lands at their end", arguments: UInt64(0)..<100)
    func roundTrip(seed: UInt64) {
        var random = RandomSource.seeded(seed)
        let tree = Tree.random(&random, depth: 4)
        let bytes = packed { tree.write(to: &$0) }
        #expect(reading(bytes) { reader throws(WireError) in try Tree.read(&reader) } == .success(tree))
        let end = reading(bytes) { reader throws(WireError) in
            try reader.skip()
            return reader.offset
        }
        #expect(end == .success(bytes.count))
    }

    @Test("mutated and cut trees never trap, and whatever is read stays inside", arguments: UInt64(0)..<40)
    func mutation(seed: UInt64) {
        var random = RandomSource.seeded(seed)
        let tree = Tree.random(&random, depth: 3)
        let original = packed { tree.write(to: &$0) }
        for _ in 0..<100 {
            var bytes = original
            for _ in 0...(random.next() % 4) {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            if random.next() & 1 == 0 { bytes.removeLast(Int(random.next() % UInt64(bytes.count))) }
            let limit = bytes.count
            _ = reading(bytes) { reader throws(WireError) in try Tree.read(&reader) }
            let end = reading(bytes) { reader throws(WireError) in
                try reader.skip()
                return reader.offset
            }
            if case .success(let end) = end { #expect(end <= limit) }
        }
    }

    @Test("every first byte has a kind but the unused one, and each kind is skipped")
    func kinds() {
        var counts: [MessagePackReader.Kind: Int] = [:]
        for byte in UInt8.min...UInt8.max {
            let bytes = [byte] + [UInt8](repeating: 0, count: 40)
            let kind = reading(bytes) { reader throws(WireError) in try reader.peek() }
            guard byte != 0xC1 else {
                #expect(kind == .failure(.malformed("type", at: 0)))
                continue
            }
            if case .success(let kind) = kind { counts[kind, default: 0] += 1 }
            #expect((try? reading(bytes) { reader throws(WireError) in try reader.skip() }.get()) != nil)
        }
        let expected: [MessagePackReader.Kind: Int] = [
            .null: 1, .boolean: 2, .integer: 168, .floatingPoint: 2, .string: 35, .binary: 3, .array: 18, .map: 18,
            .extension: 8,
        ]
        #expect(counts == expected)
        #expect(reading([]) { reader throws(WireError) in try reader.peek() } == .failure(.truncated(at: 0)))
    }

    @Test("extensions and floating point numbers are skipped whole")
    func skipping() {
        let objects = [
            "d40100", "d5010000", "d601" + String(repeating: "00", count: 4),
            "d701" + String(repeating: "00", count: 8),
            "d801" + String(repeating: "00", count: 16), "c70201aabb", "c8000201aabb", "c90000000201aabb", "ca00000000",
            "cb0000000000000000", "c0", "c3",
        ]
        for object in objects {
            let bytes = hex(object)
            let end = reading(bytes + [0xC0]) { reader throws(WireError) in
                try reader.skip()
                return reader.offset
            }
            #expect(end == .success(bytes.count))
            guard bytes.count > 1 else { continue }
            let cut = reading(bytes.dropLast()) { reader throws(WireError) in try reader.skip() }
            #expect((try? cut.get()) == nil)
        }
    }

    @Test("nesting is skipped to its limit and no further")
    func nesting() {
        func nested(_ depth: Int) -> [UInt8] { [UInt8](repeating: 0x91, count: depth) + [0xC0] }
        let limit = MessagePackReader.nestingLimit
        let skip: (inout MessagePackReader) throws(WireError) -> Void = { reader throws(WireError) in try reader.skip()
        }
        #expect((try? reading(nested(limit), skip).get()) != nil)
        for depth in [limit + 1, 100_000] {
            #expect(throws: WireError.overLimit("nesting", limit: limit)) { try reading(nested(depth), skip).get() }
        }
        let bomb = [UInt8](repeating: 0x81, count: 100_000)
        #expect((try? reading(bomb, skip).get()) == nil)
    }

    @Test("counts that cannot follow are refused before anything is reserved")
    func bombs() {
        for bomb in [
            "ddffffffff", "dfffffffff", "dcffff", "deffff", "9f", "8f00", "c6ffffffff00", "dbffffffff00", "c9ffffffff",
        ] {
            let bytes = hex(bomb)
            #expect((try? reading(bytes) { reader throws(WireError) in try reader.skip() }.get()) == nil)
            #expect((try? reading(bytes) { reader throws(WireError) in try reader.readBlob() }.get()) == nil)
        }
    }

    @Test("the wrong kind and ill-formed text are malformed")
    func wrongKinds() {
        let null: [UInt8] = [0xC0]
        #expect(reading(null) { r throws(WireError) in try r.readBoolean() } == .failure(.malformed("boolean", at: 0)))
        #expect(
            reading(null) { r throws(WireError) in try r.readInteger(Int.self) }
                == .failure(.malformed("integer", at: 0)))
        #expect(reading(null) { r throws(WireError) in try r.readString() } == .failure(.malformed("string", at: 0)))
        #expect(reading(null) { r throws(WireError) in try r.readBlob() } == .failure(.malformed("blob", at: 0)))
        #expect(
            reading(null) { r throws(WireError) in try r.readArrayHeader() } == .failure(.malformed("array", at: 0)))
        #expect(reading(null) { r throws(WireError) in try r.readMapHeader() } == .failure(.malformed("map", at: 0)))
        #expect(
            reading(hex("a2c328")) { r throws(WireError) in try r.readString() }
                == .failure(.malformed("string", at: 0)))
        #expect(reading(hex("c3")) { r throws(WireError) in try r.readBoolean() } == .success(true))
    }
}
