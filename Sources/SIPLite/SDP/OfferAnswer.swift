public import SansIO

/// The offer/answer model (RFC 3264) as pure functions, with the habits of Jami peers.
public enum OfferAnswer {
    /// What we say of ourselves in a description.
    public struct Party: Hashable, Sendable {
        /// The origin. Raise its version with each changed description.
        public var origin: SessionDescription.Origin
        /// The session's name.
        public var name: String
        /// The address to publish; cosmetic once ICE chose a path.
        public var address: IPAddress
        /// Our ICE credentials, written at session level; `nil` keeps the transport in use.
        public var credentials: ICECredentials?

        /// Describes us.
        public init(
            sessionID: String, version: UInt64 = 0, username: String = "-", name: String, address: IPAddress,
            credentials: ICECredentials?
        ) {
            origin = .init(username: username, sessionID: sessionID, version: version, address: .init(address))
            self.name = name
            self.address = address
            self.credentials = credentials
        }
    }

    /// A medium we can take part in.
    public struct LocalMedia: Hashable, Sendable {
        /// The kind.
        public var kind: MediaDescription.Kind
        /// The port to write: even, not 0.
        public var port: UInt16
        /// What we can send and receive, the best first.
        public var codecs: [Codec]
        /// Which way we wish media to flow.
        public var direction: MediaDirection
        /// The key for what we send; `nil` for media in clear.
        public var key: KeyAttribute?
        /// Our candidate lines' values.
        public var candidates: [String]

        /// Describes a medium.
        public init(
            kind: MediaDescription.Kind = .audio, port: UInt16, codecs: [Codec],
            direction: MediaDirection = .sendReceive, key: KeyAttribute?, candidates: [String]
        ) {
            self.kind = kind
            self.port = port
            self.codecs = codecs
            self.direction = direction
            self.key = key
            self.candidates = candidates
        }
    }

    /// What both sides agreed on for one media line.
    public struct Agreement: Hashable, Sendable {
        /// The media line, from 0.
        public var index: Int
        /// The kind.
        public var kind: MediaDescription.Kind
        /// The codec to send, with the payload type the peer declared.
        public var codec: Codec
        /// The payload type the peer sends with: the one we declared.
        public var receivedPayloadType: UInt8
        /// The direction, seen from us.
        public var direction: MediaDirection
        /// The key for what we send.
        public var localKey: KeyAttribute?
        /// The key for what we receive.
        public var remoteKey: KeyAttribute?
        /// The peer's ICE credentials; `nil` when it gave none, which keeps the transport in use.
        public var credentials: ICECredentials?
        /// The peer's candidate lines' values.
        public var candidates: [String]
    }

    /// Why an offer cannot be answered, or an answer not be used.
    public enum Failure: Error, Hashable, Sendable {
        /// Nothing that is offered can be taken (488).
        case nothingInCommon
        /// The answer does not fit the offer: another number of lines or other kinds.
        case mismatch
    }

    /// Writes an offer. Lines after the first may be declined from the start with port 0.
    public static func offer(from party: Party, media: [LocalMedia]) -> SessionDescription {
        description(from: party, media: media.map { line(for: $0, codecs: $0.codecs, key: $0.key, party: party) })
    }

    /// Answers an offer: the answer to send, and what was agreed.
    public static func answer(
        to offer: SessionDescription, from party: Party, media local: [LocalMedia]
    ) throws(Failure) -> (description: SessionDescription, agreements: [Agreement]) {
        var unused = local
        var lines: [MediaDescription] = []
        var agreements: [Agreement] = []
        for (index, offered) in offer.media.enumerated() {
            guard let match = unused.firstIndex(where: { choose(offered, $0) != nil }),
                let (codecs, key) = choose(offered, unused[match]), let first = codecs.first
            else {
                lines.append(refusal(of: offered))
                continue
            }
            var medium = unused.remove(at: match)
            medium.direction = medium.direction.intersection(offer.direction(ofMedia: index).reversed)
            medium.key?.tag = key?.tag ?? 1
            if let suite = key?.suite { medium.key?.suite = suite }
            var accepted = line(for: medium, codecs: codecs, key: medium.key, party: party)
            accepted.profile = offered.profile
            lines.append(accepted)
            agreements.append(
                Agreement(
                    index: index, kind: offered.kind, codec: first, receivedPayloadType: first.payloadType,
                    direction: medium.direction, localKey: medium.key, remoteKey: key,
                    credentials: offer.credentials(forMedia: index), candidates: offered.candidates))
        }
        guard !agreements.isEmpty else { throw .nothingInCommon }
        return (description(from: party, media: lines), agreements)
    }

    /// Reads the answer to our offer.
    public static func agreements(
        offer: SessionDescription, answer: SessionDescription
    ) throws(Failure) -> [Agreement] {
        guard offer.media.count == answer.media.count else { throw .mismatch }
        var agreements: [Agreement] = []
        for (index, (ours, theirs)) in zip(offer.media, answer.media).enumerated() {
            guard ours.kind == theirs.kind else { throw .mismatch }
            guard ours.isActive, theirs.isActive, ours.profile == theirs.profile else { continue }
            let codec = theirs.codecs.first { theirs in !theirs.isEvents && ours.codecs.contains(where: theirs.isSame) }
            guard let codec, let mine = ours.codecs.first(where: codec.isSame) else { continue }
            let remoteKey = theirs.keys.first
            let localKey = ours.keys.first { $0.tag == remoteKey?.tag } ?? ours.keys.first
            guard ours.keys.isEmpty || remoteKey?.suite == localKey?.suite else { continue }
            let direction = offer.direction(ofMedia: index).intersection(answer.direction(ofMedia: index).reversed)
            agreements.append(
                Agreement(
                    index: index, kind: ours.kind, codec: codec, receivedPayloadType: mine.payloadType,
                    direction: direction, localKey: ours.keys.isEmpty ? nil : localKey, remoteKey: remoteKey,
                    credentials: answer.credentials(forMedia: index), candidates: theirs.candidates))
        }
        guard !agreements.isEmpty else { throw .nothingInCommon }
        return agreements
    }

    /// The codecs and the key an offered line and ours have in common; `nil` when the line must be refused.
    ///
    /// Codecs come in our order with the offer's numbers (RFC 3264 §6.1), and events alone do not make a medium.
    private static func choose(
        _ offered: MediaDescription, _ local: LocalMedia
    ) -> (codecs: [Codec], key: KeyAttribute?)? {
        guard offered.isActive, offered.kind == local.kind, local.port != 0 else { return nil }
        let key = offered.keys.first
        guard (local.key == nil) == (offered.profile == .plain), local.key == nil || key != nil else { return nil }
        guard [.plain, .secure].contains(offered.profile) else { return nil }
        let theirs = offered.codecs
        let common = local.codecs.compactMap { mine in theirs.first(where: mine.isSame) }
        let sound = common.filter { !$0.isEvents }
        guard !sound.isEmpty else { return nil }
        return (sound + common.filter(\.isEvents), local.key == nil ? nil : key)
    }

    /// A line switched off, with the offer's formats and nothing else, as Jami writes it.
    private static func refusal(of offered: MediaDescription) -> MediaDescription {
        MediaDescription(kind: offered.kind, port: 0, profile: offered.profile, formats: offered.formats)
    }

    private static func line(
        for medium: LocalMedia, codecs: [Codec], key: KeyAttribute?, party: Party
    ) -> MediaDescription {
        let formats = codecs.map { "\($0.payloadType)" }
        var line = MediaDescription(
            kind: medium.kind, port: medium.port, profile: medium.key == nil ? .plain : .secure, formats: formats)
        guard medium.port != 0 else { return line }
        for codec in codecs {
            line.attributes.append("rtpmap", codec.map)
            guard let parameters = codec.parameters else { continue }
            line.attributes.append("fmtp", "\(codec.payloadType) \(parameters)")
        }
        let address = SessionDescription.Connection(party.address)
        line.attributes.append("rtcp", "\(UInt32(medium.port) + 1) IN \(address.family) \(address.text)")
        line.attributes.append(medium.direction.rawValue)
        if let key { line.attributes.append("crypto", key.value) }
        for candidate in medium.candidates { line.attributes.append("candidate", candidate) }
        return line
    }

    private static func description(from party: Party, media: [MediaDescription]) -> SessionDescription {
        var attributes = AttributeList()
        if let credentials = party.credentials {
            attributes.append("ice-ufrag", credentials.usernameFragment)
            attributes.append("ice-pwd", credentials.password)
        }
        return SessionDescription(
            origin: party.origin, name: party.name, connection: .init(party.address), attributes: attributes,
            media: media)
    }
}
