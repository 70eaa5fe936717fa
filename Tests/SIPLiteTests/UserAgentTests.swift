import SIPLite
import SansIO
import Testing

@Suite("User agent")
struct UserAgentTests {
    @Test("An agent without flows has nothing to do")
    func idle() {
        #expect(UserAgent(random: .seeded(1)).deadline == nil)
    }
}
