/// A vCard cut into messages, as Jami clients send theirs at the start of a call.
///
/// The parameters of the type are joined by commas, against the grammar: `;id=<n>,part=<i>,of=<N>`.
public enum ProfileCard {
    /// The type of the messages, without parameters.
    public static let contentType = "x-ring/ring.profile.vcard"

    /// The most characters a message carries.
    public static let chunkSize = 1_000

    /// Cuts a card. `id` ties the messages together and should be random.
    public static func messages(of card: String, id: UInt32) -> [Body] {
        let scalars = Array(card.unicodeScalars)
        let starts = stride(from: 0, to: max(scalars.count, 1), by: chunkSize)
        let count = (max(scalars.count, 1) + chunkSize - 1) / chunkSize
        return starts.enumerated().map { index, start in
            var chunk = String.UnicodeScalarView()
            chunk.append(contentsOf: scalars[start..<min(start + chunkSize, scalars.count)])
            return Body(
                contentType: "\(contentType);id=\(id),part=\(index + 1),of=\(count)",
                bytes: Array(String(chunk).utf8))
        }
    }

    /// Where a message belongs in its card.
    struct Place: Hashable {
        let id: UInt64
        let part: Int
        let count: Int

        /// Reads the type of a message; `nil` if it is no part of a card.
        init?(_ contentType: String) {
            let pieces = contentType.split { $0 == ";" || $0 == "," }.map { $0.filter { $0 != " " } }
            guard let first = pieces.first, first.lowercased() == ProfileCard.contentType else { return nil }
            func value(_ name: String) -> UInt64? {
                pieces.lazy.compactMap { $0.hasPrefix("\(name)=") ? UInt64($0.dropFirst(name.count + 1)) : nil }.first
            }
            guard let id = value("id"), let part = value("part"), let count = value("of"), part >= 1, part <= count,
                let place = Int(exactly: part), let total = Int(exactly: count)
            else { return nil }
            (self.id, self.part, self.count) = (id, place, total)
        }
    }
}

/// Puts cards together again. Use one for each call.
public struct ProfileCardAssembler: Sendable {
    private struct Card: Sendable {
        let id: UInt64
        var parts: [[UInt8]?]
        var size = 0
    }

    /// The most messages of one card.
    public static let maximumParts = 2_048
    /// The most octets of one card.
    public static let maximumSize = 2 << 20
    /// The most cards under way at once; the oldest gives way.
    public static let maximumCards = 2

    private var cards: [Card] = []

    /// Starts without cards.
    public init() {}

    /// Takes a message and returns the card it completes. Other messages, and cards over the limits, are ignored.
    public mutating func receive(_ body: Body) -> [UInt8]? {
        guard let place = ProfileCard.Place(body.contentType), place.count <= Self.maximumParts else { return nil }
        let index = self.index(of: place)
        guard cards[index].parts.count == place.count, cards[index].parts[place.part - 1] == nil else { return nil }
        cards[index].size += body.bytes.count
        guard cards[index].size <= Self.maximumSize else {
            cards.remove(at: index)
            return nil
        }
        cards[index].parts[place.part - 1] = body.bytes
        guard cards[index].parts.allSatisfy({ $0 != nil }) else { return nil }
        return cards.remove(at: index).parts.flatMap { $0 ?? [] }
    }

    private mutating func index(of place: ProfileCard.Place) -> Int {
        if let known = cards.firstIndex(where: { $0.id == place.id }) { return known }
        if cards.count == Self.maximumCards { cards.removeFirst() }
        cards.append(Card(id: place.id, parts: Array(repeating: nil, count: place.count)))
        return cards.count - 1
    }
}
