/// What a population of DHT nodes goes through.
public struct PopulationPlan: Hashable, Sendable {
    /// How many nodes live at any time.
    public var nodes: Int
    /// How many of a hundred nodes are replaced by new ones in an hour; they vanish without a word.
    public var churnPercentPerHour = 50
    /// How many values there are, each at a key of its own, put permanently by one of ``owners``.
    public var values = 1000
    /// How many nodes own values and therefore stay.
    public var owners = 50
    /// How many gets are made while the population changes.
    public var lookups = 1000
    /// How many datagrams of a thousand are lost.
    public var lossPermille = 10
    /// How long the nodes enter, one after the other.
    public var entry = Duration.seconds(300)
    /// How long the population changes, after all have entered and all values were put.
    public var duration = Duration.seconds(3600)
    /// What the run's chance comes from.
    public var seed: UInt64 = 1

    /// A population of this size with the usual life.
    public init(nodes: Int) { self.nodes = nodes }
}

/// What came of a plan.
public struct PopulationReport: Hashable, Sendable {
    /// The median and the 95th percentile of a figure.
    public struct Spread: Hashable, Sendable {
        /// Half of the samples are not above this.
        public let median: Double
        /// 95 of a hundred samples are not above this.
        public let p95: Double

        init(_ samples: [Double]) {
            let sorted = samples.sorted()
            median = sorted.isEmpty ? 0 : sorted[sorted.count / 2]
            p95 = sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, sorted.count * 95 / 100)]
        }
    }

    /// How many nodes vanished, and as many came.
    public var replaced = 0
    /// How many of the gets made during the change found their value.
    public var found = 0
    /// How many were made.
    public var lookups = 0
    /// How many of all values could not be found at the end, asked for once each.
    public var lost = 0
    /// Answers from the asker's own knowledge to the value.
    public var hops = Spread([])
    /// Datagrams of one get, both directions.
    public var messages = Spread([])
    /// Bytes of them, without IP and UDP headers.
    public var bytes = Spread([])
    /// Milliseconds until the value came.
    public var firstValue = Spread([])
    /// Milliseconds until the get was done.
    public var completion = Spread([])
    /// Datagrams one node sent in an hour of the change, on average, whatever for.
    public var datagramsPerNodeHour = 0.0
    /// Bytes of them.
    public var bytesPerNodeHour = 0.0
    /// Good nodes known to a node at the end, on average.
    public var knownNodes = 0.0
    /// Datagrams in the whole run.
    public var datagrams = 0
}
