// swift-tools-version: 6.2
import PackageDescription

/// Tests read vectors through Foundation and poke at spans; they keep every rule but memory-safety marking.
let testSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
]
let settings = testSettings + [.strictMemorySafety()]

func target(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies + ["TestVectors"], swiftSettings: testSettings)
}

func library(_ name: String) -> Product { .library(name: name, targets: [name]) }

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")
let asn1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "swiftlet",
    products: [
        .executable(name: "swiftlet", targets: ["Node"]),
        library("Swiftlet"), library("SwiftICE"), library("SwiftDHT"), library("SIPLite"), library("SecureChannel"),
        library("MediaRTP"), library("AudioFiles"), library("AudioDevices"), library("EventLoop"), library("ICEDriver"),
        library("SansIO"),
        library("Digests"), library("Simulator"), library("Compression"),
        library("FuzzTargets"),  // for Fuzz/, which cannot see targets
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    ],
    targets: [
        // One wrapper per C library.
        .systemLibrary(name: "CGnuTLS", pkgConfig: "gnutls", providers: [.apt(["libgnutls28-dev"])]),
        .systemLibrary(name: "CSRTP", pkgConfig: "libsrtp2", providers: [.apt(["libsrtp2-dev"])]),
        .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
        .systemLibrary(name: "COpus", pkgConfig: "opus", providers: [.apt(["libopus-dev"])]),
        .systemLibrary(name: "CSndFile", pkgConfig: "sndfile", providers: [.apt(["libsndfile1-dev"])]),
        .systemLibrary(name: "CSampleRate", pkgConfig: "samplerate", providers: [.apt(["libsamplerate0-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CALSA", pkgConfig: "alsa", providers: [.apt(["libasound2-dev"])]),
        .systemLibrary(name: "CLinux"),

        // Protocols as values; see Documentation/Architecture.md for the graph.
        target("SansIO"),
        target("Digests", [crypto]),
        target("SwiftICE", ["SansIO", "Digests"]),
        target("SwiftDHT", ["SansIO", "Digests"]),
        target("SIPLite", ["SansIO"]),
        target("SecureChannel", ["SansIO", "CGnuTLS", "CSodium", crypto, cryptoExtras, x509, asn1]),
        target("MediaRTP", ["SansIO", "CSRTP", "COpus"]),
        target("AudioFiles", ["CSndFile", "CSampleRate"]),
        target("Compression", ["CZlib"]),
        target("EventLoop", ["SansIO", "CLinux"]),
        target("ICEDriver", ["SansIO", "SwiftICE", "SecureChannel", "EventLoop"]),
        target("AudioDevices", ["EventLoop", "CALSA"]),  // apart, so that embedders without sound do not link it
        target(
            "Swiftlet",
            [
                "SansIO", "Digests", "SwiftICE", "SwiftDHT", "SIPLite", "SecureChannel", "MediaRTP", "AudioFiles",
                "Compression", "EventLoop", "ICEDriver", logging,
            ]),
        target("Simulator", ["Swiftlet", "SansIO", "SwiftICE", "SwiftDHT", "SIPLite", "SecureChannel", "MediaRTP"]),
        target("ICESimulator", ["SansIO", "SwiftICE"]),
        .executableTarget(
            name: "Node",
            dependencies: [
                "Swiftlet", "SansIO", "SwiftICE", "SwiftDHT", "SecureChannel", "AudioFiles", "AudioDevices",
                "EventLoop",
                "MediaRTP", arguments, logging,
            ],
            swiftSettings: settings),

        .target(
            name: "FuzzTargets",
            dependencies: [
                "SansIO", "SwiftICE", "SwiftDHT", "SIPLite", "SecureChannel", "MediaRTP", "Compression", "Swiftlet",
                "Simulator", "ICESimulator", "TestIdentities",
            ],
            path: "Fuzz/Targets",
            swiftSettings: settings),

        .executableTarget(
            name: "InteropICE", dependencies: ["EventLoop", "SansIO", "SwiftICE"], path: "Tests/Interop/ice",
            swiftSettings: testSettings),  // for scripts/interop-ice
        .executableTarget(
            name: "ICESeeds", dependencies: ["ICESimulator", "SansIO"], path: "Tests/Seeds/ice",
            swiftSettings: testSettings),  // for make ice-seeds
        .target(name: "TestVectors", path: "Tests/TestVectors", swiftSettings: testSettings),
        .target(
            name: "TestIdentities", dependencies: ["SecureChannel", "TestVectors"], path: "Tests/TestIdentities",
            swiftSettings: testSettings),
        tests("SansIOTests", ["SansIO"]),
        tests("DigestsTests", ["Digests"]),
        tests("SwiftICETests", ["SwiftICE", "ICESimulator", "SansIO", "Digests"]),
        tests("SwiftDHTTests", ["SwiftDHT", "SansIO", "Digests"]),
        tests("SIPLiteTests", ["SIPLite", "SansIO"]),
        tests("SecureChannelTests", ["SecureChannel", "SansIO"]),
        tests("MediaRTPTests", ["MediaRTP", "SansIO"]),
        tests("AudioFilesTests", ["AudioFiles"]),
        tests("CompressionTests", ["Compression"]),
        tests("AudioDevicesTests", ["AudioDevices"]),
        tests("EventLoopTests", ["EventLoop", "SansIO"]),
        tests("ICEDriverTests", ["ICEDriver", "EventLoop", "SwiftICE", "SecureChannel", "SansIO"]),
        tests(
            "SwiftletTests",
            [
                "Swiftlet", "SansIO", "SwiftICE", "SwiftDHT", "SIPLite", "SecureChannel", "MediaRTP", "Compression",
                "TestIdentities",
            ]),
        tests(
            "SimulationTests",
            ["Simulator", "Swiftlet", "SansIO", "SecureChannel", "SwiftDHT", "MediaRTP", "TestIdentities"]),
        tests("SystemTests", ["Node", "MediaRTP", "AudioFiles", "SansIO", "SwiftDHT", "Swiftlet"]),
        tests("FuzzRegressionTests", ["FuzzTargets"]),
        tests("TidyTests", ["FuzzTargets"]),
    ],
    swiftLanguageModes: [.v6]
)
