// Hosts ICE sessions on one thread, driven by lines on standard input (see Host.swift).
import EventLoop
import Glibc

do throws(Errno) {
    let loop = try EventLoop()
    loop.execute {
        do throws(Errno) { try Host.run(on: loop) } catch { exit(71) }
    }
    while true { pause() }
} catch {
    exit(71)
}
