import SwiftICE
import TestVectors
import Testing

struct RetransmissionTests {
    private struct Vector: Decodable {
        struct Schedule: Decodable {
            let rto_ms, rc, rm, fail_at_ms: Int
            let send_at_ms: [Int]
        }
        let udp: [Schedule]
    }

    @Test func waitsAddUpToThePublishedSchedule() throws {
        let vector: Vector = try TestVectors.json("ice/stun-retransmission.json")
        for schedule in vector.udp {
            let timing = Retransmission(
                initial: .milliseconds(schedule.rto_ms), attempts: schedule.rc, lastWaitFactor: schedule.rm)
            #expect(timing.total == .milliseconds(schedule.fail_at_ms))
        }
    }
}
