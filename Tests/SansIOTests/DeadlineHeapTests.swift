import SansIO
import Testing

@Suite("Deadline heap")
struct DeadlineHeapTests {
    @Test("agrees with a slow model", arguments: UInt64(0)..<10)
    func model(seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var (heap, model) = (DeadlineHeap<Int>(), [(element: Int, deadline: Instant, serial: UInt64)]())
        for step in 0..<2000 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0...5:
                let deadline = Instant(nanoseconds: Int64.random(in: 0..<50, using: &random))
                model.append((step, deadline, heap.insert(step, at: deadline)))
            case 6...8:
                heap.removeFirst()
                let first = model.indices.min {
                    (model[$0].deadline, model[$0].serial) < (model[$1].deadline, model[$1].serial)
                }
                if let first { model.remove(at: first) }
            default:
                let remainder = Int.random(in: 0..<3, using: &random)
                heap.removeAll { $0.element % 3 == remainder }
                model.removeAll { $0.element % 3 == remainder }
            }
            let first = model.min { ($0.deadline, $0.serial) < ($1.deadline, $1.serial) }
            #expect(heap.first?.element == first?.element && heap.first?.deadline == first?.deadline)
            #expect(heap.count == model.count)
            if let any = model.randomElement(using: &random) {
                #expect(heap.entry(serial: any.serial)?.element == any.element)
            }
        }
        #expect(heap.entry(serial: 0) == nil)
    }

    @Test("serial numbers rise, and equal deadlines keep the order in which they came")
    func order() {
        var heap = DeadlineHeap<String>()
        let serials = ["a", "b", "c"].map { heap.insert($0, at: .zero) }
        #expect(serials == serials.sorted() && Set(serials).count == 3 && !serials.contains(0))
        for expected in ["a", "b", "c"] {
            #expect(heap.first?.element == expected)
            heap.removeFirst()
        }
        heap.removeFirst()
        #expect(heap.first?.element == nil && heap.count == 0)
    }

    @Test("is sparse when most of it ceased to be, but never while it is small")
    func sparse() {
        var heap = DeadlineHeap<Int>()
        for element in 0..<64 { heap.insert(element, at: .zero) }
        #expect(!heap.isSparse(living: 0))
        heap.insert(64, at: .zero)
        #expect(heap.isSparse(living: 32) && !heap.isSparse(living: 33))
    }
}
