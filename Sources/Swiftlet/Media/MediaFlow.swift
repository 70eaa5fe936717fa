/// What of a call's media is to be heard now.
package struct MediaFlow: Hashable, Sendable {
    /// Whether anything is sent to the peer.
    package var sends = true
    /// Whether what the peer says is played; silence otherwise.
    package var plays = true
    /// Whether silence is sent in place of the microphone.
    package var isMuted = false

    /// Everything flows.
    package init() {}
}

/// A change of a call's media that one side asked for.
public enum MediaChange: String, Hashable, Sendable {
    /// Neither side hears the other any more.
    case hold
    /// A held call goes on.
    case resume
    /// The media find themselves another path.
    case restart
}
