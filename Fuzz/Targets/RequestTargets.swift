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
}
