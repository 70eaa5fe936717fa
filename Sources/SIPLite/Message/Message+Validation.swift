public import SansIO

extension Message {
    /// What an agent is able and willing to serve, for ``Message/validate(_:)``.
    public struct Policy: Hashable, Sendable {
        /// The methods served.
        public var allow: [Method]
        /// The option tags known.
        public var supported: [String]
        /// The types of session description understood.
        public var descriptions: [String]
        /// What is accepted at all.
        public var limits: MessageLimits

        /// Makes a policy.
        public init(
            allow: [Method], supported: [String] = [], descriptions: [String] = ["application/sdp"],
            limits: MessageLimits = MessageLimits()
        ) {
            self.allow = allow
            self.supported = supported
            self.descriptions = descriptions
            self.limits = limits
        }
    }

    /// An error response: its status, and a field that explains it.
    public struct Refusal: Hashable, Sendable {
        /// The status.
        public var status: Int
        /// A field the response must carry, and its value.
        public var field: HeaderName?
        /// The value of ``field``.
        public var value = ""

        static func status(_ status: Int) -> Refusal { Refusal(status: status) }
    }

    /// What becomes of a message.
    public enum Verdict: Hashable, Sendable {
        /// It can be handled.
        case accepted(Essentials)
        /// It is a request to be answered with an error.
        case refused(Refusal)
        /// It is a response that cannot be used, or a faulty acknowledgement, which is never answered.
        case dropped(WireError)
    }

    /// Judges a message in the order an agent must (RFC 3261 §8.2): version, syntax, scheme, method, extensions, body.
    public func validate(_ policy: Policy) -> Verdict {
        guard let method else { return validateResponse(policy) }
        let verdict = validateRequest(method, policy)
        if method == .ack, case .refused = verdict { return .dropped(.malformed(.startLine, at: 0)) }
        return verdict
    }

    private func validateResponse(_ policy: Policy) -> Verdict {
        guard defect == nil else { return .dropped(.malformed(.startLine, at: 0)) }
        do {
            try checkSyntax(policy.limits)
            let essentials = try essentials(limits: policy.limits)
            // A response for somebody else: proxies would pass it on, agents must not (RFC 3261 §8.1.3.3).
            guard essentials.vias.count == 1 else { return .dropped(.malformed(.via, at: 0)) }
            return .accepted(essentials)
        } catch {
            return .dropped(error)
        }
    }

    private func validateRequest(_ method: Method, _ policy: Policy) -> Verdict {
        guard defect != .version else { return .refused(.status(505)) }
        guard defect == nil else { return .refused(.status(400)) }
        let essentials: Essentials
        let target: URI
        do {
            try checkSyntax(policy.limits)
            essentials = try self.essentials(limits: policy.limits)
            target = try URI(self.target ?? "", limits: policy.limits)
        } catch .overLimit(.uri, _) {
            return .refused(.status(414))
        } catch {
            return .refused(.status(400))
        }
        guard essentials.cSeq.method == method, target.headers == nil else { return .refused(.status(400)) }
        guard [essentials.from, essentials.to].allSatisfy({ $0.uri.isSIP || $0.uri.scheme == "tel" }) else {
            return .refused(.status(400))
        }
        guard target.isSIP else { return .refused(.status(416)) }
        guard policy.allow.contains(method) else {
            let allow = policy.allow.map(\.rawValue).joined(separator: ", ")
            return .refused(Refusal(status: Method.known.contains(method) ? 405 : 501, field: .allow, value: allow))
        }
        return checkExtensions(method, policy).map(Verdict.refused) ?? .accepted(essentials)
    }

    /// Checks the fields that may occur once, and the grammar of those an agent acts on.
    private func checkSyntax(_ limits: MessageLimits) throws(WireError) {
        for name in HeaderName.single {
            let values = fields.values(name)
            guard values.allSatisfy({ $0 == values[0] }) else { throw .malformed(.field, at: 0) }
        }
        guard announcedLength != .unclear else { throw .malformed(.contentLength, at: 0) }
        _ = try contacts(limits: limits)
        _ = try addresses(.route, limits: limits)
        _ = try addresses(.recordRoute, limits: limits)
        _ = try contentType()
    }

    private func checkExtensions(_ method: Method, _ policy: Policy) -> Refusal? {
        let unknown = words(.require).filter { !policy.supported.contains($0) }
        // Acknowledgements and cancellations are never refused for what they require (RFC 3261 §8.2.2.3).
        if !unknown.isEmpty, method != .ack, method != .cancel {
            return Refusal(status: 420, field: .unsupported, value: unknown.joined(separator: ", "))
        }
        guard method == .invite else { return nil }
        let types = policy.descriptions.joined(separator: ", ")
        if !body.isEmpty {
            let type = (try? contentType())?.mediaType ?? "application/sdp"
            guard policy.descriptions.contains(type) else {
                return Refusal(status: 415, field: .accept, value: types)
            }
        }
        let wanted = words(.accept).map { $0.lowercased().prefix { $0 != ";" } }
        guard !fields.contains(.accept) || wanted.contains(where: { policy.takes($0) }) else { return .status(406) }
        return nil
    }
}

extension Message.Policy {
    /// Whether a range of types covers a description we write.
    fileprivate func takes(_ range: Substring) -> Bool {
        let name = range.filter { $0 != " " }
        return descriptions.contains { $0 == name } || name == "*/*" || name == "application/*"
    }
}
