/// Names one running get, put or listen; chosen by the caller and never reused while the operation runs.
public struct OperationID: RawRepresentable, Hashable, Comparable, Sendable {
    /// The caller's number.
    public let rawValue: UInt64

    /// Wraps a number of the caller's choice.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Wraps a number of the caller's choice.
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    /// Orders operations by number.
    public static func < (left: OperationID, right: OperationID) -> Bool { left.rawValue < right.rawValue }
}
