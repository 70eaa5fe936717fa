import FuzzTargets
import Glibc

/// The target that the environment names, else the end with a list of those there are.
private let target: FuzzTarget = {
    let name = unsafe getenv("FUZZ_TARGET").map { unsafe String(cString: $0) } ?? ""
    guard let target = FuzzTarget.named(name) else {
        print("FUZZ_TARGET is to be one of \(FuzzTarget.all.map(\.name).joined(separator: " "))")
        exit(64)
    }
    return target
}()

/// What libFuzzer calls for each input; a finding ends the process.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // libFuzzer passes `count` readable bytes, which are copied before the call returns.
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    do throws(Finding) {
        try target.run(bytes)
    } catch {
        print("\(target.name): \(error.fact)")
        fflush(nil)
        abort()
    }
    return 0
}
