// Answers every call, one after the other, and keeps what each caller says: Answerer FOLDER
import Foundation
import Swiftlet

guard CommandLine.arguments.count == 2 else {
    print("usage: Answerer FOLDER")
    exit(64)
}
let folder = URL(filePath: CommandLine.arguments[1])
let account = try (try? Account.load(from: folder)) ?? Account.create(in: folder, displayName: "Answerer")

let node = try await Node(account: account)
print("Call me at \(account.id).")
for await incoming in node.incomingCalls {
    print("\(incoming.peer) calls")
    let file = folder.appending(path: "call-\(incoming.id.rawValue).wav").path
    let call = try await incoming.accept(audio: Audio(output: .file(file)))
    for await event in call.events { print(event) }
}
