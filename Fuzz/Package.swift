// swift-tools-version: 6.2
import PackageDescription

// Apart from the main package because an executable without `main` links only with `--sanitize=fuzzer`. What is
// fuzzed is in Targets/, a target of the main package, so that `make test` can replay it without a fuzzer.
let package = Package(
    name: "Fuzz",
    dependencies: [.package(name: "swiftlet", path: "..")],
    targets: [
        .executableTarget(
            name: "Fuzz",
            dependencies: [.product(name: "FuzzTargets", package: "swiftlet")],
            path: "Sources",
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("InternalImportsByDefault"),
                .enableUpcomingFeature("MemberImportVisibility"), .strictMemorySafety(),
                .treatAllWarnings(as: .error),
            ])
    ],
    swiftLanguageModes: [.v6]
)
