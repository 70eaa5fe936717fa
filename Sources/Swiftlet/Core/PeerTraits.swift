/// What a peer's device is known to be able to beyond what every Jami does.
///
/// The default stands for stock Jami, so that nothing is expected of a device that did not say it can.
package struct PeerTraits: Hashable, Sendable {
    /// Whether it is a Swiftlet: it understands early answers, gives reasons, and protects RTCP.
    package var isSwiftlet: Bool

    package init(isSwiftlet: Bool = false) { self.isSwiftlet = isSwiftlet }
}
