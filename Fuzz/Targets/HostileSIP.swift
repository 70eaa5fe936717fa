import SIPLite
import SansIO

/// SIP as a peer may say it to a node: requests and responses that fit what was said before, with changes.
struct HostileSIP: Sendable {
    /// A dialog, or the beginning of one.
    private struct Dialog: Sendable {
        let callID: String
        /// The peer's tag.
        let tag: String
        /// The node's tag, once it gave one.
        var nodesTag: String?
        /// The branch and number of the last invitation, which an acknowledgement and a cancellation repeat.
        var branch: String
        var sequence: UInt32
    }

    /// The node's account and the peer's.
    private let node: String
    private var peer: String
    private var dialogs: [Dialog] = []
    /// Requests of the node, to be answered.
    private var asked: [SIPLite.Message] = []
    private var lastNumber: UInt32 = 1_000
    /// The credentials in the node's last description.
    private(set) var credentials: ICECredentials?
    /// The password in the peer's last description that was not made here.
    private(set) var password: String?

    /// The password of every description that is made here.
    static let password = "0123456789abcdef01234567"
    private static let memory = 6

    init(node: String, peer: String) { (self.node, self.peer) = (node, peer) }

    // MARK: What was said

    /// Learns from what the node said; throws where that cannot be read.
    mutating func hear(_ bytes: [UInt8]) throws(Finding) {
        guard bytes != Array("\r\n".utf8) else { return }
        guard let message = try? SIPLite.Message(decoding: bytes) else {
            throw Finding(fact: "SIP that is sent can be read")
        }
        credentials = Self.credentials(in: message.body) ?? credentials
        guard let essentials = try? message.essentials() else { return }
        guard message.method != nil else {
            guard let index = dialogs.lastIndex(where: { $0.callID == essentials.callID }) else { return }
            return dialogs[index].nodesTag = essentials.to.tag ?? dialogs[index].nodesTag
        }
        asked = Array((asked + [message]).suffix(Self.memory))
        guard essentials.cSeq.method == .invite, let tag = essentials.from.tag else { return }
        remember(Dialog(callID: essentials.callID, tag: "1", nodesTag: tag, branch: "z9hG4bK1", sequence: 1))
    }

    /// Learns from what the peer said when it still behaved.
    mutating func said(_ bytes: [UInt8]) {
        guard let message = try? SIPLite.Message(decoding: bytes) else { return }
        password = Self.credentials(in: message.body)?.password ?? password
        guard message.method == .invite, let essentials = try? message.essentials(), let tag = essentials.from.tag
        else { return }
        remember(
            Dialog(
                callID: essentials.callID, tag: tag, nodesTag: essentials.to.tag,
                branch: essentials.via.branch ?? "", sequence: essentials.cSeq.number))
    }

    private mutating func remember(_ dialog: Dialog) {
        dialogs.removeAll { $0.callID == dialog.callID }
        dialogs = Array((dialogs + [dialog]).suffix(Self.memory))
    }

    private static func credentials(in body: [UInt8]) -> ICECredentials? {
        (try? SIPLite.SessionDescription(decoding: body))?.attributes.credentials
    }

    // MARK: Requests

    private static let methods: [SIPLite.Method] = [
        .invite, .ack, .bye, .cancel, .info, .message, .update, .options, SIPLite.Method(rawValue: "PRACK"),
    ]

    /// A proper invitation of somebody, for a call of its own.
    mutating func invitation(from account: String) -> [UInt8] {
        peer = account
        var none = Choices([])
        var message = head(.invite, in: begin(), branch: "z9hG4bK\(lastNumber)", number: lastNumber)
        message.fields.append(.contentType, "application/sdp")
        message.body = description(&none)
        return message.encoded()
    }

    /// A request within a dialog, or an invitation to a new one.
    mutating func request(_ choices: inout Choices) -> [UInt8] {
        let method = choices.element(of: Self.methods) ?? .invite
        let shape = choices.byte()
        let known = choices.element(of: Array(dialogs.reversed()))
        let dialog = shape & 1 == 0 ? known ?? begin() : begin()
        let isRepeated = method == .ack || method == .cancel || shape & 2 != 0
        if !isRepeated { lastNumber += 1 }
        let (branch, number) = isRepeated ? (dialog.branch, dialog.sequence) : ("z9hG4bK\(lastNumber)", lastNumber)
        var message = head(method, in: dialog, branch: branch, number: number)
        if method == .invite, let index = dialogs.firstIndex(where: { $0.callID == dialog.callID }) {
            (dialogs[index].branch, dialogs[index].sequence) = (branch, number)
        }
        addBody(to: &message, &choices)
        return Self.split(message, &choices)
    }

    private mutating func begin() -> Dialog {
        lastNumber += 1
        let dialog = Dialog(
            callID: "call\(lastNumber)", tag: "t\(lastNumber)", branch: "z9hG4bK\(lastNumber)", sequence: lastNumber)
        remember(dialog)
        return dialog
    }

    private func head(_ method: SIPLite.Method, in dialog: Dialog, branch: String, number: UInt32) -> SIPLite.Message {
        var message = SIPLite.Message(method, to: "sip:\(node)@10.0.0.1")
        message.fields.append(.via, "SIP/2.0/TLS 10.0.0.2;branch=\(branch)")
        message.fields.append(.from, "<sip:\(peer)@10.0.0.2>;tag=\(dialog.tag)")
        // The acknowledgement of a refusal has the tag as well; a cancellation has none.
        let tag = method == .cancel ? nil : dialog.nodesTag
        message.fields.append(.to, "<sip:\(node)@10.0.0.1>\(tag.map { ";tag=\($0)" } ?? "")")
        message.fields.append(.callID, dialog.callID)
        message.fields.append(.cSeq, "\(number) \(method)")
        message.fields.append(.maxForwards, "70")
        message.fields.append(.contact, "<sip:\(peer)@10.0.0.2>")
        return message
    }

    // MARK: Responses

    private static let statuses = [
        200, 100, 180, 183, 202, 299, 301, 401, 404, 408, 422, 481, 486, 487, 488, 491, 500, 503, 603, 699,
    ]

    /// An answer to one of the node's requests.
    mutating func response(_ choices: inout Choices) -> [UInt8]? {
        guard let request = choices.element(of: Array(asked.reversed())) else { return nil }
        var message = SIPLite.Message(status: choices.element(of: Self.statuses) ?? 200)
        for name in [HeaderName.via, .from, .callID, .cSeq] { message.fields.append(name, from: request.fields) }
        let to = request.fields.text(.to) ?? ""
        let tag = choices.byte()
        message.fields.append(.to, to.contains("tag=") || tag == 255 ? to : "\(to);tag=\(1 + Int(tag >> 6))")
        message.fields.append(.contact, "<sip:\(peer)@10.0.0.2>")
        addBody(to: &message, &choices)
        return Self.split(message, &choices)
    }

    // MARK: Bodies

    private static let contentTypes = [
        "text/plain", "application/im-iscomposing+xml", "x-ring/ring.profile.vcard;id=7,part=1,of=2",
        "x-ring/ring.profile.vcard;id=8,part=2,of=2048", MediaControl.contentType, "application/sdp", "a/b",
    ]

    private mutating func addBody(to message: inout SIPLite.Message, _ choices: inout Choices) {
        let shape = choices.byte()
        let (type, body): (String, [UInt8]) =
            switch shape % 8 {
            case 0, 1, 2: ("application/sdp", choices.changed(description(&choices)))
            case 3: (MediaControl.contentType, MediaControl(.muted(shape & 16 == 0)).body.bytes)
            case 4, 5: (choices.element(of: Self.contentTypes) ?? "", choices.bytes())
            default: ("", [])
            }
        guard !type.isEmpty else { return }
        message.fields.append(.contentType, type)
        message.body = body
    }

    /// A description of one of a few sessions, on hold or not.
    private func description(_ choices: inout Choices) -> [UInt8] {
        let shape = choices.byte()
        let credentials =
            shape & 8 == 0 ? "a=ice-ufrag:peer000\(shape >> 4 & 3)\r\na=ice-pwd:\(Self.password)\r\n" : ""
        let candidates = (1...2).map { "a=candidate:H1 \($0) UDP 2130706431 10.0.0.2 \(2_000 + $0) typ host\r\n" }
        let direction = ["sendrecv", "sendonly", "recvonly", "inactive"][Int(shape & 3)]
        let text =
            "v=0\r\no=- 1 \(lastNumber) IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\n\(credentials)"
            + "m=audio 9000 RTP/SAVP 104\r\na=rtpmap:104 opus/48000/2\r\na=\(direction)\r\n"
            + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:Lv98XYGPV9r8t73hREtgCOislKe2tigTA2wbqEmA\r\n"
            + (shape & 4 == 0 ? candidates.joined() : "")
        return Array(text.utf8)
    }

    /// The message with changed lines before its body.
    private static func split(_ message: SIPLite.Message, _ choices: inout Choices) -> [UInt8] {
        let bytes = message.encoded()
        return choices.changed(Array(bytes.dropLast(message.body.count))) + message.body
    }
}
