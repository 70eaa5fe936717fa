/// Where the sound of calls comes from and goes to, once files and devices were checked.
struct SoundPlan: Sendable {
    /// What the peer hears.
    enum Source: Sendable {
        case silence
        case samples([Int16])
        /// A microphone of this name.
        case device(String)
    }

    /// Where the peer is heard.
    enum Sink: Sendable {
        case nowhere
        case file(String)
        /// A loudspeaker of this name.
        case device(String)
    }

    let source: Source
    let sink: Sink
}
