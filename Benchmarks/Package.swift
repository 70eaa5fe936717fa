// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"), .treatAllWarnings(as: .error),
]

func products(_ names: String...) -> [Target.Dependency] { names.map { .product(name: $0, package: "swiftlet") } }

let package = Package(
    name: "Benchmarks",
    dependencies: [.package(name: "swiftlet", path: "..")],
    targets: [
        .executableTarget(
            name: "swiftlet-bench",
            dependencies: products("SansIO", "SwiftICE", "SwiftDHT", "SIPLite", "MediaRTP", "AudioDevices"),
            path: "Sources", swiftSettings: settings),
        // Many nodes of the DHT in one process, for the measurements beside it.
        .executableTarget(
            name: "dht-bench-host", dependencies: products("SansIO", "SwiftDHT", "EventLoop"), path: "DHT/Host",
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
