package import MediaRTP
public import SansIO
internal import SwiftICE

/// Everything the media plane needs to know to run one audio call.
public struct MediaPlan: Hashable, Sendable {
    /// Which of the call's media sessions carries it.
    package let session: Int
    /// The way of RTP.
    public let rtp: MediaPath
    /// The way of RTCP.
    public let rtcp: MediaPath
    /// The RTP payload type of both directions.
    public let payloadType: UInt8
    /// The codec's name as in SDP, such as `opus/48000/2`.
    public let codec: String
    /// What we protect our packets with.
    package let localKey: SRTPKey
    /// What the peer protects its packets with.
    package let remoteKey: SRTPKey
    /// Whether RTCP is protected as RTP is; stock Jami sends it in clear.
    package let protectsControl: Bool

    /// How RTCP travels.
    package var controlMode: AudioSession.ControlMode { protectsControl ? .protected : .clear }
}

/// Between which addresses packets travel.
public struct MediaPath: Hashable, Sendable {
    /// The address our socket is bound to.
    public let local: Endpoint
    /// The peer's address.
    public let remote: Endpoint
    /// How the peer's address was learnt, such as `host`.
    public let kind: String

    init(_ pair: ICEAgent.SelectedPair) {
        switch pair.path {
        case .datagram(let from, let to): (local, remote) = (from, to)
        case .stream: (local, remote) = (pair.local.endpoint, pair.remote.endpoint)
        }
        kind = "\(pair.remote.kind)"
    }
}
