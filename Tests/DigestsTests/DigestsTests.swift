import Digests
import TestVectors
import Testing

@Suite("Digests")
struct DigestsTests {
    @Test("known answers of FIPS 180 and RFC 1321 for \"abc\"")
    func hashes() {
        let abc = Array("abc".utf8)
        #expect(Hash.sha1(abc) == hex("a9993e364706816aba3e25717850c26c9cd0d89d"))
        #expect(Hash.md5(abc) == hex("900150983cd24fb0d6963f7d28e17f72"))
        #expect(Hash.sha256(abc) == hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"))
        #expect(Hash.sha384(abc).prefix(8) == hex("cb00753f45a35e8b")[...])
        #expect(Hash.sha512(abc).prefix(8) == hex("ddaf35a193617aba")[...])
    }

    @Test("RFC 2202 and RFC 4231 case 2, split anywhere")
    func authentication() {
        let data = Array("what do ya want for nothing?".utf8)
        let sha1 = MessageAuthentication(.sha1, key: Array("Jefe".utf8))
        let sha256 = MessageAuthentication(.sha256, key: Array("Jefe".utf8))
        for split in [0, 5, data.count] {
            let parts = (Array(data[..<split]), Array(data[split...]))
            #expect(sha1.code(over: parts.0, parts.1) == hex("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"))
            #expect(
                sha256.code(over: parts.0, parts.1)
                    == hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"))
        }
    }

    @Test("comparison needs equal length and content")
    func comparison() {
        #expect(MessageAuthentication.isEqual([1, 2], [1, 2]))
        #expect(!MessageAuthentication.isEqual([1, 2], [1, 3]))
        #expect(!MessageAuthentication.isEqual([1, 2], [1]))
    }

    @Test("the check value of CRC-32")
    func crc() {
        #expect(CyclicRedundancyCheck.crc32(Array("1234".utf8), Array("56789".utf8)) == 0xCBF4_3926)
    }

    @Test("the reference codes of SipHash-2-4 for messages of one and of three words")
    func sipHash() {
        let hash = SipHash(key: 0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908)
        #expect(hash.code(0x0706_0504_0302_0100) == 0x93F5_F579_9A93_2462)
        #expect(
            hash.code(0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908, 0x1716_1514_1312_1110) == 0xB8AD_50C6_F649_AF94)
    }
}
