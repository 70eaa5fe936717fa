internal import SansIO

/// Where something of a gateway lies: its address and port, and a path there.
struct HTTPLocation: Hashable, Sendable {
    /// The most characters of a location.
    static let lengthLimit = 512

    let endpoint: Endpoint
    /// Begins with a slash.
    let path: String

    /// Reads `http://192.0.2.1:5000/root.xml`; names are not resolved.
    init?(_ text: String) {
        guard text.utf8.count <= Self.lengthLimit, text.lowercased().hasPrefix("http://"), Self.isPlain(text) else {
            return nil
        }
        let rest = text.dropFirst(7)
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        var path = String(rest.dropFirst(authority.count).prefix { $0 != "#" })
        if !path.hasPrefix("/") { path = "/" + path }
        guard let endpoint = Endpoint(String(authority)) ?? Endpoint(authority + ":80"), endpoint.port != 0 else {
            return nil
        }
        self.endpoint = endpoint
        self.path = path
    }

    private init(endpoint: Endpoint, path: String) { (self.endpoint, self.path) = (endpoint, path) }

    /// Where a reference found here leads, on the same host; `nil` when it leads elsewhere.
    func resolving(_ reference: String) -> HTTPLocation? {
        guard reference.utf8.count <= Self.lengthLimit, Self.isPlain(reference), !reference.isEmpty else { return nil }
        if reference.lowercased().hasPrefix("http://") {
            guard let location = HTTPLocation(reference), location.endpoint.address == endpoint.address else {
                return nil
            }
            return location.scoped(endpoint.scope)
        }
        guard !reference.contains("://"), !reference.hasPrefix("//") else { return nil }
        guard !reference.hasPrefix("/") else { return HTTPLocation(endpoint: endpoint, path: reference) }
        let folder = path[...(path.lastIndex(of: "/") ?? path.startIndex)]
        return HTTPLocation(endpoint: endpoint, path: folder + reference)
    }

    /// The same on a link, where the address is one of a link.
    func scoped(_ scope: UInt32) -> HTTPLocation {
        guard endpoint.address.isLinkLocal else { return self }
        return HTTPLocation(endpoint: Endpoint(endpoint.address, port: endpoint.port, scope: scope), path: path)
    }

    /// Whether nothing in the text could end a line of a request.
    private static func isPlain(_ text: String) -> Bool { text.utf8.allSatisfy { (0x21...0x7E).contains($0) } }

    /// The value of HOST for it: a scope means nothing to others.
    var host: String { Endpoint(endpoint.address, port: endpoint.port).description }
}

/// The Simple Service Discovery Protocol: how gateways are found (UPnP Device Architecture 1.1 §1.3).
enum SSDP {
    static let port: UInt16 = 1900
    /// Where gateways listen: on the link, for IPv6 on that of `scope`.
    static func group(_ family: IPAddress.Family, scope: UInt32) -> Endpoint {
        switch family {
        case .v4: Endpoint(.v4(0xEFFF_FFFA), port: port)
        case .v6: Endpoint(.v6(high: 0xFF02_0000_0000_0000, low: 0xC), port: port, scope: scope)
        }
    }
    /// What is searched for to open a firewall for IPv6, in one search each.
    static let firewallTargets = [
        "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
        "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1",
    ]
    /// What is searched for to map ports.
    static let targets = [
        "urn:schemas-upnp-org:device:InternetGatewayDevice:1", "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
        "urn:schemas-upnp-org:service:WANIPConnection:1", "urn:schemas-upnp-org:service:WANIPConnection:2",
        "urn:schemas-upnp-org:service:WANPPPConnection:1",
    ]

    static func search(_ target: String, _ family: IPAddress.Family) -> [UInt8] {
        Array(
            """
            M-SEARCH * HTTP/1.1\r
            HOST: \(group(family, scope: 0))\r
            MAN: "ssdp:discover"\r
            MX: 2\r
            ST: \(target)\r
            \r\n
            """.utf8)
    }

    /// Where the description of a device lies that answered a search.
    static func location(in datagram: [UInt8]) throws(WireError) -> HTTPLocation? {
        let head = try HTTPHead(datagram)
        guard head.status == 200, let text = head["location"] else { return nil }
        return HTTPLocation(text)
    }
}

/// A service of a gateway that maps ports.
struct IGDService: Hashable, Sendable {
    /// How many services of a description are looked at.
    static let limit = 4

    let type: String
    let control: HTTPLocation

    /// Whether the gateway picks another port by itself where the wished one is taken.
    var picksPorts: Bool { type.hasSuffix("WANIPConnection:2") }

    /// What the services that map ports are called; one for each kind of link.
    private static let mapping = [":service:WANIPConnection:", ":service:WANPPPConnection:"]
    /// What the service that opens the firewall for IPv6 is called.
    private static let firewall = [":service:WANIPv6FirewallControl:"]

    /// The services of a description found at `location`, in its order, for one family.
    static func all(
        in description: XMLElement, at location: HTTPLocation, for family: IPAddress.Family
    ) -> [IGDService] {
        let names = family == .v4 ? mapping : firewall
        let base = description.value("URLBase").flatMap { location.resolving($0) } ?? location
        let found = description.all("service").compactMap { element -> IGDService? in
            guard let type = element.value("serviceType"), type.utf8.count <= 128,
                type.utf8.allSatisfy({ (0x21...0x7E).contains($0) && ![0x22, 0x26, 0x3C, 0x3E].contains($0) }),
                names.contains(where: { type.contains($0) }),
                let control = element.value("controlURL").flatMap({ base.resolving($0) })
            else { return nil }
            return IGDService(type: type, control: control)
        }
        return Array(found.prefix(limit))
    }
}

/// The requests of HTTP/1.1 and SOAP 1.1 that a gateway is sent, and what its answers say.
enum SOAP {
    /// What a gateway answered.
    enum Answer: Hashable, Sendable {
        /// The values it returns.
        case done(XMLElement)
        /// UPnP's error code, or the HTTP status where there is none.
        case refused(code: UInt16)
    }

    static func get(_ location: HTTPLocation) -> [UInt8] {
        Array("GET \(location.path) HTTP/1.1\r\nHost: \(location.host)\r\nConnection: close\r\n\r\n".utf8)
    }

    /// A call; the order of arguments is that of the service's description, as some gateways insist on it.
    static func call(_ action: String, _ arguments: KeyValuePairs<String, String>, of service: IGDService) -> [UInt8] {
        let values = arguments.map { "<\($0.key)>\(escaped($0.value))</\($0.key)>" }.joined()
        let body = """
            <?xml version="1.0"?>\r
            <s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" \
            s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>\
            <u:\(action) xmlns:u="\(service.type)">\(values)</u:\(action)></s:Body></s:Envelope>
            """
        let head = """
            POST \(service.control.path) HTTP/1.1\r
            Host: \(service.control.host)\r
            Content-Type: text/xml; charset="utf-8"\r
            SOAPAction: "\(service.type)#\(action)"\r
            Content-Length: \(body.utf8.count)\r
            Connection: close\r
            \r\n
            """
        return Array((head + body).utf8)
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            default: result.append(character)
            }
        }
    }

    static func answer(_ head: HTTPHead, _ body: [UInt8], to action: String) -> Answer {
        let document = try? XMLElement(document: body)
        if head.status == 200, let values = document?.child("Body")?.child(action + "Response") { return .done(values) }
        let code = document?.all("errorCode").first.flatMap { UInt16($0.text) }
        return .refused(code: code ?? UInt16(clamping: head.status))
    }
}
