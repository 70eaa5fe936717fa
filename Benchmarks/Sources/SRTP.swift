import MediaRTP
import SansIO

/// Protecting and opening audio packets of 20 ms at 32 kbit/s.
func benchmarkSRTP() {
    for suite in [SRTPSuite.aes128CounterSHA1Tag80, .aes256GCM] {
        var random = RandomSource.seeded(1)
        let key = SRTPKey(random: &random, suite: suite)
        guard let sender = try? SRTPContext(key: key, suite: suite, direction: .outbound),
            let receiver = try? SRTPContext(key: key, suite: suite, direction: .inbound)
        else { return expect(false, "\(suite) is there") }
        var packet = RTPPacket(
            header: RTPHeader(payloadType: 104, sequence: .init(rawValue: 0), timestamp: 0, source: 1),
            payload: Array(repeating: 0x5A, count: 80))
        let batch = 1_000
        var (plain, sealed): ([[UInt8]], [[UInt8]]) = ([], [])
        // Each packet can be protected and opened only once, so both are timed in one round after another.
        var (protecting, opening): ([Duration], [Duration]) = ([], [])
        for _ in 0..<11 {
            plain = (0..<batch).map { _ in
                packet.header.sequence = packet.header.sequence.next
                packet.header.timestamp &+= 960
                return packet.bytes
            }
            sealed = plain
            let clock = ContinuousClock()
            protecting.append(clock.measure { for index in sealed.indices { try? sender.protect(&sealed[index]) } })
            opening.append(clock.measure { for index in sealed.indices { try? receiver.unprotect(&sealed[index]) } })
            expect(sealed == plain, "packets survive")
        }
        for (name, times) in [("protect", protecting), ("unprotect", opening)] {
            let median = times.dropFirst().sorted()[5] / .seconds(1)
            report("srtp.\(suite.rawValue).\(name)", Double(batch) / median, "packets/s")
        }
    }
}
