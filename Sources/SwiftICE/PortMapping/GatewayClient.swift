internal import SansIO

/// What a way to ask a gateway tells the port mapper. One shape for all three, so that the mapper need not tell them apart.
enum GatewayEvent: Hashable, Sendable {
    /// Why a request was not done.
    enum Failure: Hashable, Sendable {
        case noAnswer
        /// The gateway's own code.
        case refused(code: UInt16)
    }

    case send([UInt8], to: Endpoint)
    case connect(PortMapper.ConnectionID, to: Endpoint)
    case write([UInt8], on: PortMapper.ConnectionID)
    case close(PortMapper.ConnectionID)
    /// The gateway can be asked in this way.
    case available
    /// The gateway cannot be asked in this way.
    case absent
    /// A mapping stands; for ever without a lifetime.
    case mapped(MappingKey, external: Endpoint, lifetime: Duration?)
    case unmapped(MappingKey)
    case failed(MappingKey, Failure)
    /// The gateway lost its mappings.
    case reset
    case ignored(PortMapper.Refusal)
}
