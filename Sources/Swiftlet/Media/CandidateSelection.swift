internal import SwiftICE

/// Which of our candidates a description names, so that every peer can read it.
enum CandidateSelection {
    /// How many attributes stock Jami reads of one media line (PJSIP); a line with more is lost with its message.
    static let attributeLimit = 68
    /// How many attributes of a media line may be something else than candidates.
    static let otherAttributes = 8
    /// How many candidates each component of an audio line may name.
    static let limit = (attributeLimit - otherAttributes) / MediaLayout.audio.count

    /// The first `count` candidates of each component, in the order given.
    static func first(_ count: Int, ofEach candidates: [Candidate]) -> [Candidate] {
        var taken: [Int: Int] = [:]
        return candidates.filter { candidate in
            taken[candidate.component, default: 0] += 1
            return taken[candidate.component, default: 0] <= count
        }
    }

    /// Makes something with as many candidates as may be named and as fit; every component names equally many.
    ///
    /// With one candidate a component is made what does not fit either way; its sender finds out.
    static func fitting<Description>(
        _ candidates: [Candidate], into sizeLimit: Int, make: ([Candidate]) -> Description, size: (Description) -> Int
    ) -> Description {
        let counts = MediaLayout.audio.map { component in candidates.count { $0.component == component } }
        var count = min(counts.min() ?? 0, limit)
        while true {
            let made = make(first(count, ofEach: candidates))
            guard size(made) > sizeLimit, count > 1 else { return made }
            count -= 1
        }
    }
}
