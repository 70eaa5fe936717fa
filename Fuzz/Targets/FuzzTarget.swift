/// One door that bytes from the network come through: a parser, or a whole machine.
public struct FuzzTarget: Sendable {
    /// How scripts and the folders of inputs call it.
    public let name: String
    /// Feeds one input; throws where an invariant does not hold.
    public let run: @Sendable ([UInt8]) throws(Finding) -> Void

    /// The target of a name.
    public static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}

/// An invariant that does not hold.
public struct Finding: Error, Hashable {
    /// What should have held.
    public let fact: String
}

/// Throws unless `fact` holds.
func require(_ holds: Bool, _ fact: @autoclosure () -> String) throws(Finding) {
    guard holds else { throw Finding(fact: fact()) }
}
