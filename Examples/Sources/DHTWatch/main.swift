// Reports the values of a DHT key as they come and go: DHTWatch KEY, which is 40 hexadecimal digits or any text.
import SwiftDHT
import Swiftlet

guard CommandLine.arguments.count == 2 else { fatalError("usage: DHTWatch KEY") }
let text = CommandLine.arguments[1]
let key = InfoHash(text) ?? InfoHash(hashing: text)

let node = try await DHTNode()
print("\(node.nodeID) watches \(key)")
for await update in await node.listen(key) {
    switch update {
    case .value(let value): print("+ \(value.id.rawValue), \(value.size) bytes, type \(value.type.rawValue)")
    case .row: continue
    case .expired(let id): print("- \(id.rawValue)")
    case .finished(let outcome): print("finished: \(outcome)")
    }
}
