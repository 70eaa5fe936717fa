import Foundation
import SansIO
import TestVectors
import Testing

@Suite("Hexadecimal and Base64")
struct TextTests {
    @Test("hexadecimal digits of either case")
    func hexadecimal() {
        #expect(Hexadecimal.encode([0, 0x0F, 0xA5, 0xFF]) == "000fa5ff")
        #expect(Hexadecimal.decode("000fA5Ff") == [0, 0x0F, 0xA5, 0xFF])
        #expect(Hexadecimal.encode([UInt8]()) == "")
        #expect(Hexadecimal.decode("") == [])
    }

    @Test(
        "anything but pairs of digits is refused",
        arguments: ["0", "000", "0g", "g0", "0x", " 0", "0 ", "+1", "é", "0\n"])
    func badHexadecimal(text: String) { #expect(Hexadecimal.decode(text) == nil) }

    @Test(
        "RFC 4648 §10",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ])
    func base64(plain: String, encoded: String) {
        let bytes = Array(plain.utf8)
        #expect(Base64.encode(bytes) == encoded)
        #expect(Base64.decode(encoded) == bytes)
        #expect(Base64.decode(encoded.filter { $0 != "=" }) == bytes)
    }

    @Test(
        "misplaced padding, other alphabets, impossible lengths and stray bits are refused",
        arguments: [
            "Z", "Zg=", "Zg===", "Z===", "====", "=", "==", "Zm9v=", "Zm9v==", "Zm9v====", "Z=g=", "Zg==Zg==", "Zm9-",
            "Zm9_",
            "Zm 9v", "Zm9v\n", "Zh==", "Zm9=", "Zm9vé",
        ])
    func badBase64(text: String) { #expect(Base64.decode(text) == nil) }

    @Test("random bytes round trip, and agree with Foundation")
    func roundTrip() {
        var random = RandomSource.seeded(64)
        for count in 0..<200 {
            let bytes = random.bytes(count)
            #expect(Hexadecimal.decode(Hexadecimal.encode(bytes)) == bytes)
            #expect(Base64.encode(bytes) == Data(bytes).base64EncodedString())
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
    }
}

@Suite("Byte reader and writer")
struct BytesTests {
    @Test("integers of every width are big-endian")
    func integers() throws {
        var writer = ByteWriter()
        writer.write(UInt8(0x01))
        writer.write(UInt16(0x0203))
        writer.write(UInt32(0x0405_0607))
        writer.write(UInt64(0x0809_0A0B_0C0D_0E0F))
        writer.write(Int8(-1))
        writer.write(Int16(-2))
        writer.write(Int32.min)
        writer.write(Int64.min)
        #expect(writer.bytes.prefix(15) == Array(1...15)[...])
        #expect(writer.count == 30)
        var reader = ByteReader(writer.bytes.span)
        let read = (
            try reader.read(UInt8.self), try reader.read(UInt16.self), try reader.read(UInt32.self),
            try reader.read(UInt64.self)
        )
        #expect(read == (0x01, 0x0203, 0x0405_0607, 0x0809_0A0B_0C0D_0E0F))
        let signed = (
            try reader.read(Int8.self), try reader.read(Int16.self), try reader.read(Int32.self),
            try reader.read(Int64.self)
        )
        #expect(signed == (-1, -2, .min, .min))
        let isAtEnd = reader.isAtEnd
        #expect(isAtEnd)
    }

    @Test("reading past the end throws where the bytes end, and moves nothing")
    func truncation() {
        let bytes: [UInt8] = [1, 2, 3]
        var reader = ByteReader(bytes.span)
        var errors: [WireError] = []
        do throws(WireError) { try reader.skip(1) } catch { errors.append(error) }
        do throws(WireError) { _ = try reader.read(UInt32.self) } catch { errors.append(error) }
        do throws(WireError) { _ = try reader.take(3) } catch { errors.append(error) }
        do throws(WireError) { _ = try reader.take(-1) } catch { errors.append(error) }
        do throws(WireError) { try reader.skip(Int.max) } catch { errors.append(error) }
        do throws(WireError) { try reader.skip(-1) } catch { errors.append(error) }
        do throws(WireError) { _ = try reader.readBytes(Int.max) } catch { errors.append(error) }
        #expect(errors == Array(repeating: .truncated(at: 1), count: 6))
        let (offset, remaining) = (reader.offset, reader.remaining)
        #expect(offset == 1 && remaining == 2)
    }

    @Test("taking, peeking and the rest")
    func taking() throws {
        let bytes: [UInt8] = [1, 2, 3, 4, 5]
        var reader = ByteReader(bytes.span)
        let peeked = reader.peek()
        let first = try reader.readBytes(2)
        let none = try reader.readBytes(0)
        let rest = [UInt8](reader.takeRest())
        let (nothing, end) = ([UInt8](reader.takeRest()), reader.peek())
        #expect(peeked == 1 && first == [1, 2] && none == [] && rest == [3, 4, 5] && nothing == [] && end == nil)
        let empty: [UInt8] = []
        let isAtEnd = ByteReader(empty.span).isAtEnd
        #expect(isAtEnd)
    }

    @Test("writing collections, spans, repetitions, and over what was written")
    func writing() {
        var writer = ByteWriter(appendingTo: [9])
        writer.write([1, 2])
        writer.write([3, 4].span)
        writer.write(repeating: 7, count: 3)
        writer.overwrite(UInt16(0xABCD), at: 1)
        writer.overwrite(Int8(-1), at: 7)
        #expect(writer.bytes == [9, 0xAB, 0xCD, 3, 4, 7, 7, 0xFF])
    }

    @Test("writing over what is not there is a broken promise of ours")
    func overwriting() async {
        await #expect(processExitsWith: .failure) {
            var writer = ByteWriter(appendingTo: [1, 2])
            writer.overwrite(UInt16(1), at: 1)
        }
    }

    @Test("errors say what and where")
    func errors() {
        #expect(WireError.truncated(at: 3).description == "truncated at byte 3")
        #expect(WireError.malformed("cookie", at: 4).description == "malformed cookie at byte 4")
        #expect(WireError.overLimit("nesting", limit: 32).description == "nesting over the limit of 32")
        #expect(WireError.Field(rawValue: "a") == "a")
    }
}
