/// A protocol as a value. Bytes, commands and time go in; effects come out. Nothing else happens.
///
/// Inputs are ordinary mutating methods of the conforming type that take the time and return effects.
/// The caller carries out every effect, in order, and calls ``advance(to:)`` no earlier than ``deadline``.
public protocol Machine: Sendable {
    /// What the machine asks of its driver.
    associatedtype Effect: Sendable

    /// When ``advance(to:)`` next has something to do, or `nil` while only input can move the machine.
    var deadline: Instant? { get }

    /// Fires every timer due at or before `now`.
    mutating func advance(to now: Instant) -> [Effect]
}
