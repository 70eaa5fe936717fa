internal import SecureChannel

extension NodeCore {
    /// How much a node holds on behalf of its peers, which is limited, and nothing once they are gone.
    package struct Load: Hashable, Sendable {
        package var links = 0
        /// Where SIP runs on links.
        package var flows = 0
        /// The most flows of one link.
        package var flowsOfOneLink = 0
        /// The most channels of one link.
        package var channelsOfOneLink = 0
        package var calls = 0
        /// The most calls with one account.
        package var callsWithOneAccount = 0
        /// SIP calls that belong to calls.
        package var legs = 0
        /// Calls and messages that look for devices.
        package var errands = 0
        package var messagesInFlight = 0
        package var presences = 0
        package var contactRequests = 0
        /// Senders whose certificates are awaited.
        package var waitingSenders = 0
    }

    /// How much it takes on.
    package var limits: Configuration { configuration }

    /// What the node holds now.
    package var load: Load {
        var load = Load(links: links.count, flows: flowLinks.count, calls: calls.count, legs: sipCalls.count)
        load.channelsOfOneLink = links.values.map { $0.multiplexer?.channelCount ?? 0 }.max() ?? 0
        load.flowsOfOneLink = links.values.map(\.flows.count).max() ?? 0
        for call in calls.values {
            load.callsWithOneAccount = max(load.callsWithOneAccount, calls.values.count { $0.peer == call.peer })
        }
        load.errands = errands.count
        load.messagesInFlight = messagesInFlight.count
        load.presences = presences.count
        load.contactRequests = contactRequests.count
        load.waitingSenders = inbox.waitingCount
        return load
    }
}
