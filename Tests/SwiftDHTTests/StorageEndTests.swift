import SansIO
import Testing

@testable import SwiftDHT

/// When stored values vanish, however often that was said anew.
@Suite struct StorageEndTests {
    /// The same as `Storage` without limits, slow and obvious.
    private struct Model {
        private(set) var values: [(slot: Storage.Slot, source: UInt32, expires: Instant, said: Int)] = []
        private var said = 0

        var next: Int? {
            values.indices.min { (values[$0].expires, values[$0].said) < (values[$1].expires, values[$1].said) }
        }

        mutating func set(_ slot: Storage.Slot, _ source: UInt32, _ expires: Instant) {
            said += 1
            remove(slot)
            values.append((slot, source, expires, said))
        }

        mutating func remove(_ slot: Storage.Slot) { values.removeAll { $0.slot == slot } }
    }

    private let keys = (0..<4).map { InfoHash(hashing: "key \($0)") }

    private func value(_ id: UInt64) -> Value { Value(id: Value.ID(id), data: [1, 2, 3]) }

    @Test(arguments: UInt64(0)..<10)
    func endsAgreeWithASlowModel(seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var (storage, model, now) = (Storage(), Model(), Instant.zero)
        for _ in 0..<3000 {
            let slot = Storage.Slot(
                key: keys[Int.random(in: 0..<4, using: &random)], id: Value.ID(UInt64.random(in: 1..<9, using: &random))
            )
            let expires = now.advanced(by: .seconds(Int.random(in: 1..<60, using: &random)))
            let source = UInt32.random(in: 1..<4, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0...2:
                let entry = Storage.Entry(
                    value(slot.id.rawValue), created: now, expires: expires, source: .v4(0x0B00_0000 + source))
                #expect(storage.store(entry, at: slot.key, configuration: Configuration()).isStored)
                model.set(slot, source, expires)
            case 3...6:
                guard let known = model.values.first(where: { $0.slot == slot }) else { continue }
                storage.extend(slot, created: now, to: expires)
                model.set(slot, known.source, expires)
            case 7:
                #expect((storage.remove(slot) != nil) == model.values.contains { $0.slot == slot })
                model.remove(slot)
            default:
                now = now.advanced(by: .seconds(Int.random(in: 0..<5, using: &random)))
                while let next = model.next, model.values[next].expires <= now {
                    let due = model.values[next].slot
                    #expect(storage.popExpired(at: now) == due)
                    model.remove(due)
                }
                #expect(storage.popExpired(at: now) == nil)
            }
            #expect(storage.deadline == model.next.map { model.values[$0].expires })
            #expect(storage.count == model.values.count)
            #expect(storage.bytes == storage.count * value(1).footprint)
        }
    }

    @Test func whatWasExtendedLastGoesLastWhenRoomIsNeeded() {
        var (storage, configuration) = (Storage(), Configuration())
        configuration.storageLimitPerSource = 3 * value(1).footprint
        let source = IPAddress.v4(0x0B00_0001)
        func store(_ id: UInt64) -> [Storage.Slot] {
            let end = Instant.zero.advanced(by: .seconds(Int64(id)))
            let entry = Storage.Entry(value(id), created: .zero, expires: end, source: source)
            return storage.store(entry, at: keys[0], configuration: configuration).displaced
        }
        for id in UInt64(1)...3 { #expect(store(id).isEmpty) }
        storage.extend(Storage.Slot(key: keys[0], id: Value.ID(1)), created: .zero, to: .zero.advanced(by: .seconds(9)))
        #expect((4...6).map { store($0).map(\.id.rawValue) } == [[2], [3], [4]])
        #expect(storage.entries(at: keys[0]).map(\.value.id.rawValue).sorted() == [1, 5, 6])
    }

    @Test func theGreediestSourceGivesWay() {
        var (storage, configuration) = (Storage(), Configuration())
        configuration.storageLimit = 12 * value(1).footprint
        func store(_ id: UInt64, from source: UInt32) -> [UInt64] {
            let end = Instant.zero.advanced(by: .seconds(Int64(id)))
            let entry = Storage.Entry(value(id), created: .zero, expires: end, source: .v4(source))
            return storage.store(entry, at: keys[0], configuration: configuration).displaced.map(\.id.rawValue)
        }
        for id in UInt64(1)...8 { #expect(store(id, from: 0x0B00_0001).isEmpty) }
        for id in UInt64(11)...14 { #expect(store(id, from: 0x0C00_0001).isEmpty) }
        #expect((15...16).map { store($0, from: 0x0C00_0001) } == [[1], [2]])
        #expect(storage.bytes == configuration.storageLimit)
    }
}
