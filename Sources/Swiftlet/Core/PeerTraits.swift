internal import SwiftICE

/// What a peer's device is known to be able to beyond what every Jami does.
///
/// The default stands for stock Jami, so that nothing is expected of a device that did not say it can.
package struct PeerTraits: Hashable, Sendable {
    /// Whether it is a Swiftlet: it understands early answers, gives reasons, and protects RTCP.
    package var isSwiftlet: Bool
    /// Whether it takes a nomination for its last word only until the next one, so that a session moves to a better path.
    package var renominates: Bool

    package init(isSwiftlet: Bool = false, renominates: Bool = false) {
        self.isSwiftlet = isSwiftlet
        self.renominates = renominates
    }

    /// The same in the words of ICE.
    var iceOptions: ICEAgent.PeerOptions {
        var options = ICEAgent.PeerOptions()
        options.renominates = renominates
        return options
    }
}
