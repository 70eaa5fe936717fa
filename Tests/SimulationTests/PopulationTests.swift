import SansIO
import Simulator
import Testing

@Suite("A population of DHT nodes that come and go")
struct PopulationTests {
    private var plan: PopulationPlan {
        var plan = PopulationPlan(nodes: 120)
        (plan.values, plan.owners, plan.lookups) = (40, 10, 40)
        plan.entry = .seconds(60)
        plan.duration = .seconds(900)
        return plan
    }

    @Test("loses no value while an eighth of its nodes is replaced, and finds them in few hops")
    func churn() {
        let report = Population(plan).run()
        #expect(report.replaced == 15)
        #expect(report.lost == 0)
        #expect(report.lookups >= 38, "two askers may vanish while they ask")
        #expect(report.found == report.lookups)
        #expect((1...4).contains(report.hops.median))
        #expect(report.messages.median >= 2)
        #expect(report.datagrams > 10_000)
    }

    @Test("does the same again with the same seed, and something else with another")
    func seeds() {
        var plan = plan
        (plan.nodes, plan.duration, plan.values, plan.lookups) = (30, .seconds(60), 5, 5)
        let report = Population(plan).run()
        #expect(Population(plan).run() == report)
        plan.seed = 2
        #expect(Population(plan).run() != report)
    }
}
