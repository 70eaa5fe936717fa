// swift-tools-version: 6.2
import PackageDescription

func example(_ name: String, _ products: [String]) -> Target {
    .executableTarget(
        name: name, dependencies: products.map { .product(name: $0, package: "swiftlet") },
        swiftSettings: [.treatAllWarnings(as: .error)])
}

let package = Package(
    name: "Examples",
    dependencies: [.package(name: "swiftlet", path: "..")],
    targets: [
        // The whole: a call.
        example("Caller", ["Swiftlet"]),
        example("Answerer", ["Swiftlet"]),
        // A layer alone.
        example("ICEInMemory", ["SwiftICE", "SansIO"]),
        example("DHTWatch", ["Swiftlet", "SwiftDHT"]),
        example("ReadSIP", ["SIPLite"]),
    ],
    swiftLanguageModes: [.v6]
)
