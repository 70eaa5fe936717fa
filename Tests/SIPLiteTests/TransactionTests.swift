import SIPLite
import SansIO
import Testing

@Suite("Transaction timers (RFC 3261 §17, RFC 6026)")
struct TransactionTests {
    private static func request(_ method: Method) -> Message {
        var message = Message(method, to: "sip:b")
        message.fields.append(.via, "SIP/2.0/UDP a;branch=z9hG4bK1")
        message.fields.append(.from, "<sip:a>;tag=1")
        message.fields.append(.to, "<sip:b>")
        message.fields.append(.callID, "c")
        message.fields.append(.cSeq, "1 \(method)")
        return message
    }

    private static func response(_ status: Int) -> Message {
        var message = Message(status: status)
        message.fields.append(.to, "<sip:b>;tag=2")
        return message
    }

    /// The seconds at which a machine acts, until it rests.
    private func times<M: Machine>(_ machine: inout M) -> [Double] {
        var times: [Double] = []
        while let next = machine.deadline, times.count < 100 {
            if !machine.advance(to: next).isEmpty { times.append(next.duration(to: .zero).seconds * -1) }
        }
        return times
    }

    @Test("An invitation is repeated in doubling waits and given up after 64 T1")
    func inviteClient() {
        var machine = InviteClient(Self.request(.invite), isReliable: false, timing: .init())
        _ = machine.start(at: .zero)
        #expect(times(&machine) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 32])
        var reliable = InviteClient(Self.request(.invite), isReliable: true, timing: .init())
        _ = reliable.start(at: .zero)
        #expect(times(&reliable) == [32])
    }

    @Test("A first sign of the peer stops repetitions; a refusal is acknowledged each time it comes")
    func refusedInvitation() {
        var machine = InviteClient(Self.request(.invite), isReliable: false, timing: .init())
        _ = machine.start(at: .zero)
        #expect(machine.receive(Self.response(180), at: .zero) == [.response(Self.response(180))])
        #expect(machine.deadline == nil)
        let effects = machine.receive(Self.response(486), at: .zero)
        guard case .send(let acknowledgement)? = effects.first else {
            Issue.record("\(effects)")
            return
        }
        let text = String(decoding: acknowledgement, as: UTF8.self)
        #expect(text.hasPrefix("ACK sip:b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n"))
        #expect(text.contains("To: <sip:b>;tag=2\r\n") && text.contains("CSeq: 1 ACK\r\n"))
        #expect(machine.receive(Self.response(486), at: .zero) == [.send(acknowledgement)])
        #expect(times(&machine) == [32])
    }

    @Test("Every repetition of a success is passed on while the transaction absorbs them")
    func acceptedInvitation() {
        var machine = InviteClient(Self.request(.invite), isReliable: true, timing: .init())
        _ = machine.start(at: .zero)
        for _ in 0..<2 { #expect(machine.receive(Self.response(200), at: .zero) == [.response(Self.response(200))]) }
        #expect(machine.receive(Self.response(486), at: .zero) == [])
        #expect(times(&machine) == [32])
    }

    @Test("Other requests are repeated at most every T2")
    func requestClient() {
        var machine = RequestClient(Self.request(.info), isReliable: false, timing: .init())
        _ = machine.start(at: .zero)
        #expect(times(&machine) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5, 32])
        var answered = RequestClient(Self.request(.info), isReliable: false, timing: .init())
        _ = answered.start(at: .zero)
        #expect(answered.receive(Self.response(200), at: .zero) == [.response(Self.response(200))])
        #expect(answered.receive(Self.response(200), at: .zero) == [])
        #expect(times(&answered) == [5])
    }

    @Test("A refusal is repeated until it is acknowledged")
    func inviteServer() {
        var machine = InviteServer(isReliable: false, timing: .init())
        let busy = Self.response(486)
        #expect(machine.respond(Self.response(180), at: .zero) == [.send(Self.response(180).encoded())])
        #expect(machine.receive(.invite, at: .zero) == [.send(Self.response(180).encoded())])
        #expect(machine.respond(busy, at: .zero) == [.send(busy.encoded())])
        #expect(machine.receive(.invite, at: .zero) == [.send(busy.encoded())])
        var acknowledged = machine
        #expect(times(&machine) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5, 32])
        #expect(acknowledged.receive(.ack, at: .zero) == [])
        #expect(acknowledged.receive(.invite, at: .zero) == [])
        #expect(times(&acknowledged) == [5])
    }

    @Test("After a success, repeated invitations are absorbed in silence")
    func acceptedServer() {
        var machine = InviteServer(isReliable: true, timing: .init())
        _ = machine.respond(Self.response(200), at: .zero)
        #expect(machine.receive(.invite, at: .zero) == [] && machine.isAnswered)
        #expect(machine.respond(Self.response(486), at: .zero) == [])
        #expect(times(&machine) == [32])
    }

    @Test("A request repeated gets its response again")
    func requestServer() {
        var machine = RequestServer(isReliable: false, timing: .init())
        #expect(machine.receive(.info, at: .zero) == [])
        _ = machine.respond(Self.response(200), at: .zero)
        #expect(machine.receive(.info, at: .zero) == [.send(Self.response(200).encoded())])
        #expect(times(&machine) == [32])
        var reliable = RequestServer(isReliable: true, timing: .init())
        #expect(reliable.respond(Self.response(200), at: .zero).last == .finished && reliable.deadline == nil)
    }
}
