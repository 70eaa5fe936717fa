import SansIO
import Testing

@testable import SecureChannel

@Suite("Record order")
struct RecordOrderTests {
    private let start = Instant.zero

    private func records(_ effects: [SecureEffect]) -> [UInt8?] {
        effects.map { effect in
            if case .received(let record) = effect { record.first } else { nil }
        }
    }

    @Test("records out of order are handed out in order, each once")
    func reordering() {
        var order = RecordOrder()
        #expect(records(order.insert([2], number: 2, at: start)) == [])
        #expect(records(order.insert([2], number: 2, at: start)) == [])
        #expect(records(order.insert([3], number: 3, at: start)) == [])
        #expect(order.deadline == start.advanced(by: RecordOrder.patience))
        #expect(records(order.insert([1], number: 1, at: start)) == [1, 2, 3])
        #expect(records(order.insert([1], number: 1, at: start)) == [])
        #expect(order.deadline == nil)
    }

    @Test("a gap is told once its time has come, and what comes late is dropped")
    func gap() {
        var order = RecordOrder()
        #expect(records(order.insert([1], number: 1, at: start)) == [1])
        #expect(records(order.insert([3], number: 3, at: start)) == [])
        #expect(records(order.insert([6], number: 6, at: start)) == [])
        let due = start.advanced(by: RecordOrder.patience)
        #expect(order.advance(to: start) == [])
        #expect(order.advance(to: due) == [.gap, .received([3])])
        #expect(order.deadline == due.advanced(by: RecordOrder.patience))
        #expect(order.insert([2], number: 2, at: due) == [])
        #expect(order.advance(to: due.advanced(by: RecordOrder.patience)) == [.gap, .received([6])])
        #expect(order.deadline == nil)
    }

    @Test("more records than are held behind a gap end the wait")
    func limit() {
        var order = RecordOrder()
        var effects: [SecureEffect] = []
        for number in 2...UInt64(RecordOrder.limit + 2) {
            effects += order.insert([UInt8(number)], number: number, at: start)
        }
        #expect(effects.first == .gap)
        #expect(effects.count == RecordOrder.limit + 2)
        #expect(order.deadline == nil)
    }
}
