package import MediaRTP
package import SansIO
package import SecureChannel
package import SwiftDHT

extension NodeCore {
    /// What a node asks of its driver.
    package enum Effect: Sendable {
        /// Send a datagram from the DHT's socket of the endpoint's family.
        case sendDHT([UInt8], to: Endpoint)
        /// Open sockets for an ICE session on every usable address, for each of these components, find out where they are
        /// seen, and report all that with ``NodeCore/gathered(_:for:at:)``; what is found later with
        /// ``NodeCore/found(_:for:at:)``. For TCP they listen.
        case gather(SessionID, components: [Int])
        /// Use a session's sockets.
        case network(SessionID, NetworkAction)
        /// Close all sockets and connections of a session.
        case release(SessionID)
        /// Start TLS or DTLS for a link; its output comes back as ``NodeCore/secureOutput(_:for:at:)``.
        case secure(LinkID, ControlLink.SecureRole, SessionTransport, expecting: PeerExpectation)
        /// Bytes from the peer for a link's TLS or DTLS.
        case secureInput(LinkID, [UInt8])
        /// Plain bytes for a link's peer.
        case secureSend(LinkID, [UInt8])
        /// Say good-bye and forget a link's TLS or DTLS.
        case secureClose(LinkID)
        /// Work for another thread.
        case work(WorkID, Work)
        /// Start a call's media, or move those that run over to another session without a seam.
        case startMedia(CallID, MediaPlan)
        /// Take a call's packets under this key as well.
        case expectMedia(CallID, SRTPKey)
        /// Say what of a call's media is to be heard.
        case directMedia(CallID, MediaFlow)
        case stopMedia(CallID)
        /// Remember, beyond this run, that a request was treated.
        case remember(requestID: UInt64)
        /// Keep the contacts, beyond this run.
        case saveContacts(ContactList)
        case event(NodeEvent)
        case ignored(Reason)
    }

    /// Why an input had no effect.
    package enum Reason: Sendable {
        case dht(DHT.Reason)
        case link(LinkID, ControlLink.Reason)
        case channel(LinkID, Multiplexer.Reason)
        case call(CallID, CallMachine.Reason)
        case sip(String)
        /// A value at a request key that is no request for us.
        case unusableRequest
        /// A request that was treated before.
        case repeatedRequest
        /// A sender whose certificate was not found.
        case unknownSender(DeviceID)
        /// What lies at the certificate key of a device, and why it proves nothing.
        case untrustedCertificate(DeviceID, CertificateObjection)
        /// Why the TLS or DTLS with a device failed.
        case unsecured(DeviceID, SecureChannelError)
        /// An account that is banned, or a stranger where contacts alone are welcome.
        case unwelcome(AccountID)
        /// Nobody is a contact of its own.
        case ownAccount
        /// More at once than is allowed; the limit's name.
        case overLimit(String)
        /// An input for something that is gone.
        case gone
    }
}
