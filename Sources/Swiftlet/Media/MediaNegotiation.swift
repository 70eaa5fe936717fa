internal import MediaRTP
internal import SIPLite
internal import SansIO
internal import SwiftICE

/// How the components of a call's one media session are numbered, across all media lines (as Jami counts them).
///
/// There are always four places: RTP and RTCP of audio, RTP and RTCP of video. An audio call uses the first two; the
/// video ones have no candidates and are thereby disabled.
enum MediaLayout {
    /// Components each media line takes.
    static let componentsPerLine = 2
    /// RTP of the audio line.
    static let rtp = 1
    /// RTCP of the audio line.
    static let rtcp = 2
    /// The components of an audio call.
    static let audio = [rtp, rtcp]

    /// The component within its line, of a number that is either that already or counts across all lines.
    static func component(_ number: Int, inLine line: Int) -> Int {
        number > componentsPerLine ? number - componentsPerLine * line : number
    }
}

/// What the two sides of an audio call agreed on.
struct MediaAgreement: Hashable, Sendable {
    let payloadType: UInt8
    let codec: String
    let localKey: SRTPKey
    let remoteKey: SRTPKey
    /// Where the peer's media session may be reached.
    let remote: SwiftICE.SessionDescription

    /// Takes the audio line out of what SIP agreed on; `nil` when there is none, or it lacks keys or a path.
    init?(_ agreements: [OfferAnswer.Agreement]) {
        guard let audio = agreements.first(where: { $0.kind == .audio }),
            let localKey = (audio.localKey?.keyAndSalt).flatMap({ try? SRTPKey(bytes: $0) }),
            let remoteKey = (audio.remoteKey?.keyAndSalt).flatMap({ try? SRTPKey(bytes: $0) }),
            let remote = Self.remoteDescription(of: audio)
        else { return nil }
        payloadType = audio.codec.payloadType
        codec = "\(audio.codec.name)/\(audio.codec.clockRate)/\(audio.codec.channels)"
        self.localKey = localKey
        self.remoteKey = remoteKey
        self.remote = remote
    }

    private static func remoteDescription(of audio: OfferAnswer.Agreement) -> SwiftICE.SessionDescription? {
        guard let given = audio.credentials,
            let credentials = Credentials(fragment: given.usernameFragment, password: given.password)
        else { return nil }
        var candidates: [Candidate] = []
        for line in audio.candidates {
            guard var candidate = Candidate.parse(line: line).candidate else { continue }
            candidate.component = MediaLayout.component(candidate.component, inLine: audio.index)
            guard MediaLayout.audio.contains(candidate.component) else { continue }
            candidates.append(candidate)
        }
        return SwiftICE.SessionDescription(credentials: credentials, candidates: candidates)
    }
}

/// Writes our side of the descriptions of one call.
struct MediaNegotiation: Sendable {
    /// The address before ICE has chosen one: documentation only, as both sides use ICE.
    static let portBeforeGathering: UInt16 = 16384

    private let sessionID: String
    private let name: String
    /// The codecs we have, best first.
    private let codecs: [Codec] = [.opus]
    /// What we protect our audio with.
    private let key: SRTPKey

    init(clock: WallClock, random: inout RandomSource, at now: Instant) {
        // RFC 8866 §5.2 suggests an NTP timestamp, and Jami writes one.
        sessionID = String(clock.unixSeconds(at: now) + 2_208_988_800)
        name = "Call ID \(random.next() >> 12)"
        key = SRTPKey(random: &random)
    }

    func offer(for agent: ICEAgent) -> SIPLite.SessionDescription {
        OfferAnswer.offer(from: party(agent), media: [audio(agent)])
    }

    func answer(
        to offer: SIPLite.SessionDescription, for agent: ICEAgent
    ) -> (description: SIPLite.SessionDescription, agreement: MediaAgreement)? {
        guard
            let (description, agreements) = try? OfferAnswer.answer(
                to: offer, from: party(agent), media: [audio(agent)]),
            let agreement = MediaAgreement(agreements)
        else { return nil }
        return (description, agreement)
    }

    func agreement(offer: SIPLite.SessionDescription, answer: [UInt8]) -> MediaAgreement? {
        guard let answer = try? SIPLite.SessionDescription(decoding: answer),
            let agreements = try? OfferAnswer.agreements(offer: offer, answer: answer)
        else { return nil }
        return MediaAgreement(agreements)
    }

    private func party(_ agent: ICEAgent) -> OfferAnswer.Party {
        OfferAnswer.Party(
            sessionID: sessionID, name: name,
            address: agent.localCandidates.first?.endpoint.address ?? .unspecified(.v4),
            credentials: ICECredentials(
                usernameFragment: agent.localCredentials.fragment, password: agent.localCredentials.password))
    }

    private func audio(_ agent: ICEAgent) -> OfferAnswer.LocalMedia {
        let candidates = agent.localCandidates
        let port = candidates.first { $0.component == MediaLayout.rtp }?.endpoint.port
        return OfferAnswer.LocalMedia(
            port: port ?? Self.portBeforeGathering, codecs: codecs, key: KeyAttribute(keyAndSalt: key.bytes),
            candidates: candidates.map(\.jamiLine))
    }
}
