package import SansIO

extension NodeHost {
    /// The machine loses power and comes back with a new process at once: nobody is told, and all that is kept on disk
    /// is there again.
    package func restart(through contacts: [Endpoint]) {
        for session in sessions.values {
            for base in session.bases { close(base) }
            for stream in session.streams.values { stream.vanish() }
        }
        for channel in channels.values { _ = channel.close() }
        for plane in audio.values { plane.stop() }
        (sessions, channels, audio) = ([:], [:], [:])
        begin()
        bootstrap(contacts)
    }
}
