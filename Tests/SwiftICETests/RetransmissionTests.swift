import SansIO
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

    @Test func requestsAreSentAndGivenUpOnSchedule() throws {
        let vector: Vector = try TestVectors.json("ice/stun-retransmission.json")
        for schedule in vector.udp {
            var (request, server) = try prepared(
                Retransmission(
                    initial: .milliseconds(schedule.rto_ms), attempts: schedule.rc, lastWaitFactor: schedule.rm))
            var (now, times) = (Instant.zero, [Int]())
            var effects = request.start(at: now)
            while true {
                guard case .send(_, server) = effects.first else { break }
                times.append(Int(now.nanoseconds / 1_000_000))
                now = try #require(request.deadline)
                effects = request.advance(to: now)
            }
            #expect(times == schedule.send_at_ms)
            #expect(effects == [.failed(.noAnswer)])
            #expect(now == .zero.advanced(by: .milliseconds(schedule.fail_at_ms)))
            #expect(request.deadline == nil)
        }
    }

    private func prepared(_ timing: Retransmission = Retransmission()) throws -> (BindingRequest, Endpoint) {
        let server = try #require(Endpoint("192.0.2.9:3478"))
        var random = RandomSource.seeded(4)
        return (BindingRequest(server: server, timing: timing, random: &random), server)
    }

    @Test func onlyTheServersOwnAnswerCounts() throws {
        var (request, server) = try prepared()
        guard case .send(let bytes, _) = request.start(at: .zero).first else {
            Issue.record("nothing was sent")
            return
        }
        let mapped = try #require(Endpoint("203.0.113.5:40000"))
        let id = try Message(decoding: bytes).transaction
        func answer(_ id: TransactionID) -> [UInt8] {
            var builder = MessageBuilder(.success, .binding, id)
            builder.add(.xorAddress(.xorMappedAddress, mapped))
            return builder.finishedWithFingerprint()
        }
        let now = Instant.zero.advanced(by: .milliseconds(30))
        let right = answer(id)
        let foreign = answer(TransactionID(high: 0, low: 0))
        let stray = [UInt8](repeating: 1, count: 30)
        #expect(request.receive(right.span, from: mapped, at: now) == [.ignored(nil)])
        #expect(request.receive(foreign.span, from: server, at: now) == [.ignored(nil)])
        #expect(request.receive(bytes.span, from: server, at: now) == [.ignored(nil)])
        let refused = request.receive(stray.span, from: server, at: now)
        #expect(refused.count == 1 && refused != [.ignored(nil)])
        let answered = request.receive(right.span, from: server, at: now)
        #expect(answered == [.answered(mapped: mapped, roundTrip: .milliseconds(30))])
        #expect(request.deadline == nil)
    }
}
