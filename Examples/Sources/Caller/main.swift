// Calls an account, plays it a tone for ten seconds and keeps what it says: Caller FOLDER ACCOUNT
import Foundation
import Swiftlet

guard CommandLine.arguments.count == 3, let contact = AccountID(hex: CommandLine.arguments[2]) else {
    print("usage: Caller FOLDER ACCOUNT")
    exit(64)
}
let folder = URL(filePath: CommandLine.arguments[1])
let account = try (try? Account.load(from: folder)) ?? Account.create(in: folder, displayName: "Caller")
let tone = (0..<480_000).map { Int16(8_000 * sin(2 * .pi * 440 * Double($0) / 48_000)) }

let node = try await Node(account: account)
guard await node.waitUntilOnline() else {
    print("The network does not answer.")
    exit(69)
}
let call = try await node.call(contact, audio: Audio(input: .samples(tone), output: .file("heard.wav")))
for await event in call.events {
    print(event)
    guard case .mediaConnected = event else { continue }
    Task {
        try await Task.sleep(for: .seconds(10))
        await call.hangUp()
    }
}
await node.close()
