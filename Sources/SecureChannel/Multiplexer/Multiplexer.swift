public import SansIO

/// Channels on one connection: the plaintext of a session between two devices, cut into frames of named channels.
///
/// Either side opens channels by name and the other accepts or declines them; data then flows both ways until one side
/// ends it. Beacons ask whether the peer is still there. Payload borders are kept: one ``send(_:on:)`` arrives as one
/// ``Effect/received(_:on:)``, which matters as stock peers read one SIP message a frame.
///
/// Call ``start(at:)`` once the session is secured; every other input is legal at any time.
public struct Multiplexer: Machine {
    /// The version of the multiplexer we speak: 1, with beacons.
    public static let version: UInt32 = 1

    enum Timer: Hashable {
        case open(ChannelID)
        case beacon
    }

    /// Frames that came before their channel was open.
    struct EarlyData {
        var frames: [[UInt8]] = []
        var cost = 0
    }

    enum Channel {
        /// We asked.
        case requested
        /// The peer asked.
        case offered(name: String)
        case open
    }

    enum Beacon {
        case none
        /// To be sent once the peer's version is known.
        case wanted
        case sent
    }

    let configuration: Configuration
    var channels: [ChannelID: Channel] = [:]
    /// Of channels that are not open yet: the peer's data may overtake its answer.
    var earlyData: [ChannelID: EarlyData] = [:]
    var offerCount = 0
    var timers = TimerTable<Timer>()
    var deframer = ChannelDeframer()
    var beacon = Beacon.none
    private var nextChannel: ChannelID
    private var isStarted = false
    private(set) var isOver = false

    /// The peer's version, once it told it.
    public internal(set) var peerVersion: UInt32?

    /// Creates the multiplexer of one end of a secured connection.
    public init(side: Side, configuration: Configuration = Configuration()) {
        self.configuration = configuration
        nextChannel = side.firstChannel
    }

    /// How many channels there are, requested ones included.
    public var channelCount: Int { channels.count }

    /// How many bytes wait for the rest of their frame; never more than one payload.
    public var unfinishedByteCount: Int { deframer.unfinishedCount }

    /// Whether data may be sent on a channel.
    public func isOpen(_ id: ChannelID) -> Bool {
        if case .open? = channels[id] { true } else { false }
    }

    // MARK: Commands

    /// Tells the peer our version.
    public mutating func start(at now: Instant) -> [Effect] {
        guard !isOver else { return [.ignored(.over)] }
        guard !isStarted else { return [] }
        isStarted = true
        return [.send(ProtocolMessage.version(Self.version).frame.bytes)]
    }

    /// Asks the peer for a channel; it is there once ``Effect/opened(_:)`` says so.
    ///
    /// - Returns: the channel's number, or `nil` when a limit refused it, which the effects then say.
    public mutating func open(_ name: String, at now: Instant) -> (ChannelID?, [Effect]) {
        guard !isOver else { return (nil, [.ignored(.over)]) }
        guard name.utf8.count <= configuration.nameLimit else { return (nil, [.ignored(.nameTooLong)]) }
        guard hasRoom else { return (nil, [.ignored(.tooManyChannels)]) }
        let id = takeNumber()
        channels[id] = .requested
        timers.set(.open(id), at: now.advanced(by: configuration.openTimeout))
        return (id, [.send(ChannelRequest(name: name, channel: id, state: .request).frame.bytes)])
    }

    /// Grants a channel the peer asked for; what it sent already follows.
    public mutating func accept(_ id: ChannelID) -> [Effect] {
        guard case .offered(let name)? = channels[id] else { return [.ignored(.noSuchChannel(id))] }
        let early = forget(id)
        channels[id] = .open
        let answer = ChannelRequest(name: name, channel: id, state: .accept)
        return [.send(answer.frame.bytes)] + early.map { .received($0, on: id) }
    }

    /// Refuses a channel the peer asked for.
    public mutating func decline(_ id: ChannelID) -> [Effect] {
        guard case .offered(let name)? = channels[id] else { return [.ignored(.noSuchChannel(id))] }
        forget(id)
        return [.send(ChannelRequest(name: name, channel: id, state: .decline).frame.bytes)]
    }

    /// Sends one frame of 1...65535 bytes on an open channel.
    public mutating func send(_ bytes: [UInt8], on id: ChannelID) -> [Effect] {
        guard isOpen(id) else { return [.ignored(.noSuchChannel(id))] }
        guard (1...ChannelFrame.payloadLimit).contains(bytes.count) else {
            return [.ignored(.payloadSize(bytes.count))]
        }
        return [.send(ChannelFrame(channel: id, payload: bytes).bytes)]
    }

    /// Ends an open channel, forgets one we asked for, or declines one the peer asked for.
    public mutating func close(_ id: ChannelID) -> [Effect] {
        switch channels[id] {
        case .open?:
            forget(id)
            return [.send(Self.end(of: id))]
        case .requested?:
            // Its end is told when the peer's answer comes: before, it may not know the channel.
            forget(id)
            return []
        case .offered?: return decline(id)
        case nil: return [.ignored(.noSuchChannel(id))]
        }
    }

    /// Asks the peer for a sign of life: ``Effect/alive`` or ``Effect/unresponsive`` follows.
    ///
    /// Only peers of version 1 or later are asked. As long as no version was seen the question is kept back, and no
    /// time runs.
    public mutating func ping(at now: Instant) -> [Effect] {
        guard !isOver else { return [.ignored(.over)] }
        guard case .none = beacon else { return [] }
        beacon = .wanted
        return sendBeacon(at: now)
    }

    // MARK: Time

    /// When the next unanswered request or beacon is given up.
    public var deadline: Instant? { timers.deadline }

    /// Gives up what was not answered in time.
    public mutating func advance(to now: Instant) -> [Effect] {
        var effects: [Effect] = []
        while let timer = timers.popDue(at: now) {
            switch timer {
            case .open(let id):
                forget(id)
                effects.append(.declined(id))
            case .beacon:
                beacon = .none
                effects.append(.unresponsive)
            }
        }
        return effects
    }

    // MARK: Steps

    var hasRoom: Bool { channels.count < min(configuration.channelLimit, 0xFFFE) }

    /// The frame that ends a channel.
    static func end(of id: ChannelID) -> [UInt8] { ChannelFrame(channel: id, payload: []).bytes }

    mutating func sendBeacon(at now: Instant) -> [Effect] {
        guard case .wanted = beacon, let peerVersion, peerVersion >= 1 else { return [] }
        beacon = .sent
        timers.set(.beacon, at: now.advanced(by: configuration.beaconTimeout))
        return [.send(ProtocolMessage.ping.frame.bytes)]
    }

    /// Removes a channel and all that belongs to it; returns what came for it while it was not open.
    @discardableResult
    mutating func forget(_ id: ChannelID) -> [[UInt8]] {
        if case .offered? = channels.removeValue(forKey: id) { offerCount -= 1 }
        timers.cancel(.open(id))
        return earlyData.removeValue(forKey: id)?.frames ?? []
    }

    mutating func fail(_ error: WireError) -> [Effect] {
        isOver = true
        (channels, earlyData, offerCount) = ([:], [:], 0)
        timers = TimerTable()
        deframer = ChannelDeframer()
        return [.failed(error)]
    }

    /// The next free number; going round, so that a number that was in use comes back as late as possible.
    private mutating func takeNumber() -> ChannelID {
        while true {
            let id = nextChannel
            nextChannel = ChannelID(rawValue: id.rawValue == 0xFFFE ? 0x0001 : id.rawValue + 1)
            if channels[id] == nil { return id }
        }
    }
}
