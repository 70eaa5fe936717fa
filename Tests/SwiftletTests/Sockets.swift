import SansIO
import SwiftICE
import Swiftlet

extension ICEAgent.Finding {
    /// A socket that gathering opened.
    static func socket(
        _ component: Int, _ endpoint: Endpoint, _ transport: SessionTransport = .udp
    ) -> ICEAgent.Finding {
        .base(ICEAgent.Base(component: component, endpoint: endpoint, transport: transport == .tcp ? .tcp : .udp))
    }
}
