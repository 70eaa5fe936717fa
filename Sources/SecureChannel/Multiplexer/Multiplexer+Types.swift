public import SansIO

extension Multiplexer {
    /// The number of a channel, unique on its connection.
    public struct ChannelID: RawRepresentable, Hashable, Comparable, Sendable {
        /// The number on the wire.
        public let rawValue: UInt16

        /// Wraps a number.
        public init(rawValue: UInt16) { self.rawValue = rawValue }

        /// Orders channels by number.
        public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

        /// Where channels are asked for and answered.
        package static let control = ChannelID(rawValue: 0)
        /// Where versions and beacons travel.
        package static let `protocol` = ChannelID(rawValue: 0xFFFF)

        /// Whether the number may name a data channel.
        var isForData: Bool { self != .control && self != .protocol }
    }

    /// Which end of the TLS session this is; it decides where channel numbers start.
    public enum Side: Hashable, Sendable {
        /// The device that received the connection request. Its channels count from 0x0001.
        case client
        /// The device that sent the connection request. Its channels count from 0x8000.
        case server

        /// The number of the first channel this side opens.
        var firstChannel: ChannelID { ChannelID(rawValue: self == .client ? 0x0001 : 0x8000) }
    }

    /// What a multiplexer asks of its driver, or tells it.
    public enum Effect: Hashable, Sendable {
        /// Hand this plaintext to the session.
        case send([UInt8])
        /// The peer asks for a channel; ``Multiplexer/accept(_:)`` or ``Multiplexer/decline(_:)`` it.
        case requested(ChannelID, name: String)
        /// The peer accepted the channel we asked for.
        case opened(ChannelID)
        /// The peer declined the channel we asked for, or did not answer within ``Configuration/openTimeout``.
        case declined(ChannelID)
        /// The payload of one frame, never empty.
        case received([UInt8], on: ChannelID)
        /// The peer ended the channel, or withdrew its request for it.
        case closed(ChannelID)
        /// The peer answered our beacon.
        case alive
        /// The peer did not answer our beacon within ``Configuration/beaconTimeout``; drop the connection.
        case unresponsive
        /// The stream cannot be read any further; drop the connection.
        case failed(WireError)
        /// Something was refused and nothing else happened.
        case ignored(Reason)
    }

    /// Why input was refused.
    public enum Reason: Hashable, Sendable {
        /// The multiplexer failed before.
        case over
        /// A payload for the multiplexer itself could not be read; whatever stood before the error counted.
        case malformed(WireError)
        /// There is no such channel, or it is not in the state for this.
        case noSuchChannel(ChannelID)
        /// The peer asked for a number that is in use, or that no channel may have; it was declined.
        case unusableNumber(ChannelID)
        /// A name exceeds ``Configuration/nameLimit``; the peer's request was declined.
        case nameTooLong
        /// There are ``Configuration/channelLimit`` channels; the peer's request was declined.
        case tooManyChannels
        /// ``Configuration/pendingRequestLimit`` requests of the peer wait for an answer; this one was declined.
        case tooManyRequests
        /// The peer sent more than ``Configuration/earlyDataLimit`` before the channel was open; it was given up.
        case tooMuchEarlyData(ChannelID)
        /// The peer answered a request that is not waiting for an answer.
        case unexpectedAnswer(ChannelID)
        /// The peer answered a beacon that is not waiting for an answer.
        case unexpectedPong
        /// What was to be sent has this many bytes: none, which would end the channel, or more than a frame carries.
        case payloadSize(Int)
    }

    /// The limits and waits of a multiplexer; the defaults suit a connection to a Jami peer.
    public struct Configuration: Hashable, Sendable {
        /// How long the peer may take to answer a request for a channel.
        public var openTimeout = Duration.seconds(10)
        /// How long the peer may take to answer a beacon.
        public var beaconTimeout = Duration.seconds(3)
        /// How many channels may exist, requested ones included.
        public var channelLimit = 256
        /// How many requests of the peer may wait for an answer.
        public var pendingRequestLimit = 16
        /// The most bytes of UTF-8 a channel's name may have.
        public var nameLimit = 1024
        /// The most bytes kept for a channel that is not open yet; each frame counts ``earlyFrameCost`` more.
        public var earlyDataLimit = 262_144
        /// What a frame that is kept costs beside its bytes.
        public static let earlyFrameCost = 64

        /// The defaults.
        public init() {}
    }
}
