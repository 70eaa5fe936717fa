internal import SansIO

extension WireError.Field {
    static let version: Self = "version"
}
