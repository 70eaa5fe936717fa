import SwiftDHT
import Swiftlet

/// What is typed at the prompt of a node; the words are ours, the short ones also those of OpenDHT's tool.
enum DHTOrder: Hashable {
    /// A question of the node's own state.
    enum Inspection: String, CaseIterable {
        case table, searches, storage, stats, operations
    }

    case get(DHTKey, DHTQuestion)
    case listen(DHTKey, DHTQuestion)
    case put(DHTKey, text: String, DHTValueKind, permanent: Bool)
    case cancel(Int)
    case inspect(Inspection)
    case bootstrap(Node.Configuration.Bootstrap)
    case help
    case quit
    /// An empty line.
    case nothing

    /// Why a line is no order: one line for people.
    struct Refusal: Error, Hashable {
        let line: String
    }

    static let guide = """
        get KEY [CONDITION...]       print the values of a key (g)
        query KEY FACT... [CONDITION...]
                                     print only these facts of them
        put KEY TEXT                 store a text (p)
        keep KEY TEXT                store it until cancelled (pp)
        sign KEY TEXT                store it signed (s)
        encrypt KEY ID TEXT          store it for one reader only (e)
        listen KEY [CONDITION...]    print what comes and goes until cancelled (l)
        cancel NUMBER                end a keep or listen (c)
        operations                   what can be cancelled (lo)
        table                        the routing table (lr)
        searches                     the ways to keys (ls)
        storage                      what is stored here (ld)
        stats                        numbers (ll)
        bootstrap HOST[:PORT]        enter through a host (b)
        quit                         (q, x)
        Conditions: id=HEX, type=NUMBER, owner=ID, utype=TEXT
        Facts: \(facts); of id, type, seq, owner and utype
        nodes send these alone, without proof of who signed
        """

    private static let facts = DHTReport.Field.allCases.map(\.rawValue).joined(separator: ", ")

    private static let shortWords = [
        "g": "get", "p": "put", "pp": "keep", "s": "sign", "e": "encrypt", "l": "listen", "c": "cancel",
        "lo": "operations", "lr": "table", "ls": "searches", "ld": "storage", "ll": "stats", "b": "bootstrap",
        "q": "quit", "x": "quit", "exit": "quit", "h": "help", "?": "help",
    ]

    /// Reads one line.
    static func parse(_ line: String) throws(Refusal) -> DHTOrder {
        var words = Words(line)
        guard let first = words.next() else { return .nothing }
        let word = shortWords[first] ?? first
        if let inspection = Inspection(rawValue: word) { return .inspect(inspection) }
        switch word {
        case "get": return .get(try words.key(), DHTQuestion(conditions: try words.conditions()))
        case "query": return .get(try words.key(), try words.question())
        case "listen": return .listen(try words.key(), DHTQuestion(conditions: try words.conditions()))
        case "put": return .put(try words.key(), text: try words.text(), .plain, permanent: false)
        case "keep": return .put(try words.key(), text: try words.text(), .plain, permanent: true)
        case "sign": return .put(try words.key(), text: try words.text(), .signed, permanent: false)
        case "encrypt":
            let key = try words.key()
            let reader = try words.reader()
            return .put(key, text: try words.text(), .encrypted(reader), permanent: false)
        case "cancel": return .cancel(try words.number())
        case "bootstrap": return .bootstrap(try words.host())
        case "help": return .help
        case "quit": return .quit
        default: throw Refusal(line: "'\(first)' is no command; type help")
        }
    }

    /// The words of a line, taken one by one.
    private struct Words {
        private var rest: Substring

        init(_ line: String) { rest = line[...] }

        mutating func next() -> String? {
            rest = rest.drop { $0.isWhitespace }
            guard !rest.isEmpty else { return nil }
            let word = rest.prefix { !$0.isWhitespace }
            rest = rest.dropFirst(word.count)
            return String(word)
        }

        mutating func key() throws(Refusal) -> DHTKey {
            guard let word = next(), let key = DHTKey(argument: word) else { throw Refusal(line: "name a key") }
            return key
        }

        mutating func reader() throws(Refusal) -> DHTRecipient {
            guard let word = next(), let reader = DHTRecipient(word) else {
                throw Refusal(line: "name the reader by the 40 or 64 hexadecimal digits of its id")
            }
            return reader
        }

        mutating func number() throws(Refusal) -> Int {
            guard let word = next(), let number = Int(word) else {
                throw Refusal(line: "name the number; operations lists them")
            }
            return number
        }

        mutating func host() throws(Refusal) -> Node.Configuration.Bootstrap {
            guard let word = next(), let host = Node.Configuration.Bootstrap(word) else {
                throw Refusal(line: "name a HOST or HOST:PORT")
            }
            return host
        }

        mutating func conditions() throws(Refusal) -> [ValueQuery.Where] {
            var conditions: [ValueQuery.Where] = []
            while let word = next() { conditions.append(try Self.condition(word)) }
            return conditions
        }

        /// Facts and conditions, which are told apart by the mark of equality.
        mutating func question() throws(Refusal) -> DHTQuestion {
            var question = DHTQuestion()
            while let word = next() {
                if word.contains("=") {
                    question.conditions.append(try Self.condition(word))
                } else if let fact = DHTReport.Field(rawValue: word) {
                    question.select.append(fact)
                } else {
                    throw Refusal(line: "'\(word)' is no fact; use \(facts)")
                }
            }
            guard !question.select.isEmpty else { throw Refusal(line: "name a fact: \(facts)") }
            return question
        }

        private static func condition(_ word: String) throws(Refusal) -> ValueQuery.Where {
            guard let condition = DHTCondition(argument: word) else {
                throw Refusal(line: DHTCondition.refusal(word))
            }
            return condition.condition
        }

        /// The rest of the line, without the blank before it.
        mutating func text() throws(Refusal) -> String {
            let text = rest.dropFirst()
            guard !text.isEmpty else { throw Refusal(line: "say what to store") }
            return String(text)
        }
    }
}
