/// What one side tells the other before checks can start: its credentials and candidates.
public struct SessionDescription: Hashable, Sendable {
    /// The credentials checks to this side are made with.
    public var credentials: Credentials
    /// Where this side may be reached, most useful first.
    public var candidates: [Candidate]

    /// Joins credentials and candidates.
    public init(credentials: Credentials, candidates: [Candidate]) {
        self.credentials = credentials
        self.candidates = candidates
    }
}
