extension FuzzTarget {
    /// Every target: the parsers in the order of the layers, then whole machines.
    public static let all: [FuzzTarget] = [
        messagePack, stun, dnsMessage, candidate, sessionBlob, streamFraming, turnFraming, xml, gatewayAnswer,
        dhtPacket, dhtValue, dhtDiscovery, dhtState, dhtReassembly, valuePolicy, certificateChain, revocationList,
        sipMessage, sipFramer, sdp, mediaControl, profileCard, rtp, rtcp, callRequest, deviceAnnouncement,
        connectionRequest, trustRequest, instantMessage, accountArchive,

        stunClient, turnClient, relayRace, natBehavior, localNames, ownNames, portMapper, pinholes, iceAgent,
        iceNetwork, dhtNode, sipUserAgent, multiplexer, jitterBuffer, callMachine, hostilePeer,
    ]
}
