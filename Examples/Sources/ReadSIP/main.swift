// Reads a SIP message from the standard input and says what is in it.
import SIPLite

var bytes: [UInt8] = []
while let line = readLine(strippingNewline: true) { bytes += Array("\(line)\r\n".utf8) }

do {
    let message = try Message(decoding: bytes)
    let essentials = try message.essentials()
    print(message.method.map { "request: \($0)" } ?? "response: \(message.status ?? 0)")
    print("from \(essentials.from.uri) to \(essentials.to.uri), call \(essentials.callID)")
    if let description = try? SessionDescription(decoding: message.body) {
        for medium in description.media {
            print("\(medium.kind.rawValue): \(medium.codecs.map(\.name).joined(separator: ", "))")
        }
    }
} catch {
    print("no SIP message: \(error)")
}
