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
        .executableTarget(
            name: "dht-bench-load", dependencies: products("SansIO", "EventLoop"), path: "DHT/Load",
            swiftSettings: settings + [.enableExperimentalFeature("Lifetimes")]),
        .executableTarget(
            name: "dht-scale", dependencies: products("SansIO", "Simulator"), path: "DHT/Scale",
            swiftSettings: settings),
        // Many ICE sessions in one process, for the measurements beside it.
        .executableTarget(
            name: "ice-bench-host",
            dependencies: products("SansIO", "SwiftICE", "SecureChannel", "ICEDriver", "EventLoop"),
            path: "ICE/Host", swiftSettings: settings),
        // One side of a session, for the networks of Tests/Interop/nat.
        .executableTarget(
            name: "ice-peer", dependencies: products("SansIO", "SwiftICE", "ICEDriver", "EventLoop"),
            path: "ICE/Peer", swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
