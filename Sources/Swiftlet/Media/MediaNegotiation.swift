internal import MediaRTP
internal import SIPLite
package import SansIO
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
    /// Which way sound may flow, seen from us.
    let direction: MediaDirection
    /// Whether the peer lets us wait: it does not want to hear us. Stock Jami says so for video only.
    let isHeldByPeer: Bool
    let localKey: SRTPKey
    let remoteKey: SRTPKey
    /// Where the peer's media session may be reached; `nil` where the path in use stays.
    let remote: SwiftICE.SessionDescription?

    /// Takes the audio line out of what SIP agreed on; `nil` when there is none, or it lacks keys.
    init?(_ agreements: [OfferAnswer.Agreement], peer: SIPLite.SessionDescription) {
        guard let audio = agreements.first(where: { $0.kind == .audio }),
            let localKey = (audio.localKey?.keyAndSalt).flatMap({ try? SRTPKey(bytes: $0) }),
            let remoteKey = (audio.remoteKey?.keyAndSalt).flatMap({ try? SRTPKey(bytes: $0) })
        else { return nil }
        payloadType = audio.codec.payloadType
        codec = "\(audio.codec.name)/\(audio.codec.clockRate)/\(audio.codec.channels)"
        direction = audio.direction
        isHeldByPeer = !peer.direction(ofMedia: audio.index).receives
        self.localKey = localKey
        self.remoteKey = remoteKey
        remote = Self.remoteDescription(of: audio)
    }

    private static func remoteDescription(of audio: OfferAnswer.Agreement) -> SwiftICE.SessionDescription? {
        guard let given = audio.credentials, let credentials = Credentials(given) else { return nil }
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

extension Credentials {
    /// Takes credentials out of a description; `nil` where they break the rules of ICE.
    init?(_ given: ICECredentials) { self.init(fragment: given.usernameFragment, password: given.password) }
}

/// Writes our side of the descriptions of one call.
package struct MediaNegotiation: Sendable {
    /// What one description of ours says.
    struct Statement: Sendable {
        /// Rises by one with each description that changes something (RFC 3264 §8).
        var version: UInt64 = 0
        /// Which way we wish sound to flow.
        var direction = MediaDirection.sendReceive
        /// What we protect our audio with.
        var key: SRTPKey
        /// What the peer makes its checks with; `nil` keeps the path in use.
        var credentials: Credentials?
        /// Where we may be reached, most useful first.
        var candidates: [Candidate]
    }

    /// The address before ICE has chosen one: documentation only, as both sides use ICE.
    static let portBeforeGathering: UInt16 = 16384

    private let sessionID: String
    private let name: String
    /// The codecs we have, best first.
    private let codecs: [Codec] = [.opus]
    /// How many octets a description may have.
    private let sizeLimit: Int

    /// - Parameter sizeLimit: how many octets a description may have.
    package init(sizeLimit: Int, clock: WallClock, random: inout RandomSource, at now: Instant) {
        // RFC 8866 §5.2 suggests an NTP timestamp, and Jami writes one.
        sessionID = String(clock.unixSeconds(at: now) + 2_208_988_800)
        name = "Call ID \(random.next() >> 12)"
        self.sizeLimit = sizeLimit
    }

    func offer(_ statement: Statement) -> SIPLite.SessionDescription {
        CandidateSelection.fitting(statement.candidates, into: sizeLimit) { candidates in
            OfferAnswer.offer(from: party(statement), media: [audio(statement, candidates)])
        } size: {
            $0.encoded().count
        }
    }

    func answer(
        to offer: SIPLite.SessionDescription, _ statement: Statement
    ) -> (description: SIPLite.SessionDescription, agreement: MediaAgreement)? {
        let answer = CandidateSelection.fitting(statement.candidates, into: sizeLimit) { candidates in
            try? OfferAnswer.answer(to: offer, from: party(statement), media: [audio(statement, candidates)])
        } size: {
            $0?.description.encoded().count ?? 0
        }
        guard let answer, let agreement = MediaAgreement(answer.agreements, peer: offer) else { return nil }
        return (answer.description, agreement)
    }

    func agreement(offer: SIPLite.SessionDescription, answer: [UInt8]) -> MediaAgreement? {
        guard let answer = try? SIPLite.SessionDescription(decoding: answer),
            let agreements = try? OfferAnswer.agreements(offer: offer, answer: answer)
        else { return nil }
        return MediaAgreement(agreements, peer: answer)
    }

    private func party(_ statement: Statement) -> OfferAnswer.Party {
        OfferAnswer.Party(
            sessionID: sessionID, version: statement.version, name: name,
            address: statement.candidates.first?.endpoint.address ?? .unspecified(.v4),
            credentials: statement.credentials.map {
                ICECredentials(usernameFragment: $0.fragment, password: $0.password)
            })
    }

    private func audio(_ statement: Statement, _ candidates: [Candidate]) -> OfferAnswer.LocalMedia {
        let port = statement.candidates.first { $0.component == MediaLayout.rtp }?.endpoint.port
        return OfferAnswer.LocalMedia(
            port: port ?? Self.portBeforeGathering, codecs: codecs, direction: statement.direction,
            key: KeyAttribute(keyAndSalt: statement.key.bytes),
            candidates: statement.credentials == nil ? [] : candidates.map(\.jamiLine))
    }
}
