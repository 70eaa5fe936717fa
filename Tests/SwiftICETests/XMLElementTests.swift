import Foundation
import SansIO
import SwiftICE
import TestVectors
import Testing

struct XMLElementTests {
    private func read(_ text: String) throws -> XMLElement { try XMLElement(document: Array(text.utf8)) }

    @Test func elementsTextAndEntitiesAreRead() throws {
        let root = try read(
            """
            <?xml version="1.0"?>
            <!-- a comment with <markup> -->
            <s:a xmlns:s='x' b="1 &gt; 0"><b> one &amp; &#x41;&#66;&lt; </b><b/><c><![CDATA[<raw> & ]]></c></s:a>
            <!-- behind -->
            """)
        #expect(root.name == "a" && root.children.map(\.name) == ["b", "b", "c"])
        #expect(root.value("b") == "one & AB<")
        #expect(root.value("c") == "<raw> &")
        #expect(root.all("b").count == 2)
    }

    @Test func theDescriptionOfARealDeviceIsRead() throws {
        struct Exchange: Decodable { let note, response: String }
        struct Conversation: Decodable { let exchange: [Exchange] }
        let all: Conversation = try TestVectors.json("ice/upnp-igd-miniupnpd.json")
        let response = try #require(all.exchange.first { $0.note == "device description" }).response
        let body = try #require(response.components(separatedBy: "\r\n\r\n").last)
        let services = try read(body).all("service").compactMap { $0.value("serviceType") }
        #expect(services.count == 5 && services.contains("urn:schemas-upnp-org:service:WANIPConnection:2"))
    }

    @Test(arguments: [
        "", "text", "<a>", "</a>", "<a></b>", "<a><b></a></b>", "<a b></a>", "<a b=c></a>", "<a b='<'></a>", "<a/><b/>",
        "<a>&unknown;</a>", "<a>&amp</a>", "<a>&#0;</a>", "<a>&#xD800;</a>", "<!DOCTYPE a []><a/>",
        "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "<a/>behind", "<1a/>", "<a", "<a b='", "<![CDATA[x]]><a/>",
        "<a><!-- </a>", "<?xml",
    ])
    func whatIsNotWellFormedIsRefused(_ text: String) {
        #expect(throws: WireError.self) { try read(text) }
    }

    @Test func sizesAreBounded() throws {
        let deep = String(repeating: "<a>", count: 33) + String(repeating: "</a>", count: 33)
        #expect(throws: WireError.overLimit("XML nesting", limit: 32)) { try read(deep) }
        let wide = "<a>" + String(repeating: "<b/>", count: 4096) + "</a>"
        #expect(throws: WireError.overLimit("XML elements", limit: 4096)) { try read(wide) }
        let long = "<a>" + String(repeating: "x", count: 262_144) + "</a>"
        #expect(throws: WireError.overLimit("XML length", limit: 262_144)) { try read(long) }
        let fits = String(repeating: "<a>", count: 32) + String(repeating: "</a>", count: 32)
        #expect(try read(fits).all("a").count == 32)
    }

    @Test func mutatedDocumentsNeverTrap() throws {
        var random = RandomSource.seeded(6)
        let sample = Array(
            "<?xml version=\"1.0\"?><r xmlns='u'><d a=\"1\"><s>t &amp; u</s><!-- c --><e/></d><![CDATA[x]]></r>".utf8)
        var read = 0
        for _ in 0..<5000 where (try? XMLElement(document: mutated(sample, &random))) != nil { read += 1 }
        #expect(read > 100)
    }
}
