import SansIO
import Swiftlet

extension FuzzTarget {
    /// The bodies of call requests and replies.
    static let callRequest = FuzzTarget(name: "call-request") { bytes throws(Finding) in
        guard let request = try? CallRequest(decoding: bytes) else { return }
        try require((try? CallRequest(decoding: request.encoded)) == request, "\(request) survives")
    }

    /// Announcements of devices.
    static let deviceAnnouncement = FuzzTarget(name: "device-announcement") { bytes throws(Finding) in
        guard let announcement = try? DeviceAnnouncement(decoding: bytes) else { return }
        let again = try? DeviceAnnouncement(decoding: announcement.encoded)
        try require(again == announcement, "\(announcement) survives")
    }

    /// The bodies of connection requests and answers.
    static let connectionRequest = FuzzTarget(name: "connection-request") { bytes throws(Finding) in
        guard let request = try? ConnectionRequest(decoding: bytes) else { return }
        let written = request.encoded
        let again = try? ConnectionRequest(decoding: written)
        try require(again?.encoded == written, "\(request) survives")
        let known = (again?.id, again?.isAnswer, again?.connectionType, again?.extension?.version)
        try require(
            known == (request.id, request.isAnswer, request.connectionType, request.extension?.version),
            "the fields survive")
    }

    /// The bodies of texts that travel through the DHT.
    static let instantMessage = FuzzTarget(name: "instant-message") { bytes throws(Finding) in
        guard let message = try? InstantMessage(decoding: bytes) else { return }
        try require((try? InstantMessage(decoding: message.encoded)) == message, "\(message) survives")
    }

    /// The bodies of contact requests.
    static let trustRequest = FuzzTarget(name: "trust-request") { bytes throws(Finding) in
        guard let request = try? TrustRequest(decoding: bytes) else { return }
        try require((try? TrustRequest(decoding: request.encoded)) == request, "\(request) survives")
    }
}
