internal import ICEDriver

extension SessionNetwork {
    /// Does what a session asks of its network.
    func perform(_ action: NetworkAction) {
        switch action {
        case .send(let bytes, let base, let peer): send(bytes, from: base, to: peer)
        case .connect(let connection, let base, let peer): connect(connection, from: base, to: peer)
        case .write(let bytes, let connection): write(bytes, on: connection)
        case .disconnect(let connection): disconnect(connection)
        case .permit(let address, let base): permit(address, on: base)
        case .prefer(let base, let peer): prefer(base, to: peer)
        }
    }
}
