import SansIO
import SwiftICE
import Testing

@Suite struct FoundationTests {
    /// A NAT that maps by destination and a gateway that maps a port tell two addresses of one socket, of which only the
    /// second can be reached: were both of one foundation, it would wait until the first has failed.
    @Test func addressesOfOneSocketToldByOthersDiffer() {
        var agent = ICEAgent(role: .controlled, components: 1, random: .seeded(1))
        let base = ICEAgent.Base(component: 1, endpoint: Endpoint("192.168.1.10:5000")!, transport: .udp)
        _ = agent.addBase(base, at: .zero)
        for told in ["198.51.100.7:41000", "198.51.100.7:5000", "198.51.100.8:5000"] {
            #expect(agent.addMapped(Endpoint(told)!, base: base, at: .zero).isEmpty)
        }
        let foundations = agent.localCandidates.map(\.foundation.description)
        #expect(foundations == ["Hc0a8010a", "Sc0a8010a", "Sc0a8010a+1", "Sc0a8010a+2"])
    }

    @Test func socketsOfOneAddressShareIt() {
        var agent = ICEAgent(role: .controlled, components: 2, random: .seeded(1))
        for component in 1...2 {
            let base = ICEAgent.Base(
                component: component, endpoint: Endpoint("192.168.1.10:\(5000 + component)")!, transport: .udp)
            _ = agent.addBase(base, at: .zero)
            _ = agent.addMapped(Endpoint("198.51.100.7:\(6000 + component)")!, base: base, at: .zero)
        }
        #expect(Set(agent.localCandidates.map(\.foundation.description)) == ["Hc0a8010a", "Sc0a8010a"])
    }
}
