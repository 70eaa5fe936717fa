internal import SansIO

extension ICEAgent {
    /// How application data of a component travel now: over the selected pair, or before over the best valid one, over
    /// which a stream may not send yet. `nil` while there is no path.
    ///
    /// For drivers that move many packets: those sent this way need not pass ``send(_:component:at:)``.
    public func sendingPath(component: Int) -> Path? {
        guard state == .checking || state == .completed, (1...components).contains(component) else { return nil }
        if let selection = selections[component - 1] { return selection.pair.path }
        guard let pair = checkList.bestValid(component: component), !pair.local.transport.isTCP else { return nil }
        return path(of: pair)
    }
}
