extension FuzzTarget {
    /// Every target: the parsers in the order of the layers, then whole machines.
    public static let all: [FuzzTarget] = [
        messagePack, stun, candidate, sessionBlob, streamFraming, turnFraming, dhtPacket, dhtValue, certificateChain,
        sipMessage, sipFramer, sdp, mediaControl, profileCard, rtp, rtcp, callRequest, deviceAnnouncement,
        connectionRequest, trustRequest, instantMessage, accountArchive,
        iceAgent, iceNetwork, dhtNode, sipUserAgent, multiplexer, jitterBuffer, callMachine,
        hostilePeer,
    ]
}
