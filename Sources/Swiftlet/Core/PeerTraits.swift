/// What is known of a peer beyond what every peer can do.
package struct PeerTraits: Hashable, Sendable {
    /// Whether the peer is a Swiftlet, which told so when the link was made; stock peers do not.
    package var isSwiftlet: Bool

    package init(isSwiftlet: Bool = false) { self.isSwiftlet = isSwiftlet }
}
