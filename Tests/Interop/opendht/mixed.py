#!/usr/bin/env python3
"""Checks that both releases of OpenDHT and swiftlet are one network.

usage: mixed.py SWIFTLET PYTHON

SWIFTLET is the program, PYTHON an interpreter with opendht 4.4.2; Debian's dhtnode is on the PATH. Ten nodes of each kind
form one network on the loopback interface. Every kind gives every kind, itself too, plain, signed, encrypted, large and
permanent values, by get and by listen; then nodes of each kind are killed, and what was put before is still found.
"""
import concurrent.futures
import pathlib
import secrets
import subprocess
import sys
import tempfile
import time

import kinds

COUNT = 10
# Of each kind, this many nodes sign and read, the first of which everybody enters through.
IDENTITIES = 2
# The largest text dhtnode's prompt passes on unharmed is a little less than 64 KiB.
LARGE = 60_000

# Seconds for one get.
WAITS = {"plain": 20, "signed": 20, "encrypted": 20, "large": 12, "permanent": 20}
# Each release publishes the certificate a reader is named by at a key where the other does not look; we use both.
IMPOSSIBLE = [("2.4", "4.4", "encrypted"), ("4.4", "2.4", "encrypted")]

results = []


def check(name, passed):
    results.append(bool(passed))
    print(("ok    " if passed else "FAIL  ") + name, flush=True)


def text(kind):
    words = secrets.token_hex(12)
    return words if kind != "large" else words + "-" + "x" * LARGE + "-" + words


class Network:
    def __init__(self, swiftlet, python, folder):
        here = pathlib.Path(__file__).resolve().parent
        self.swiftlet, self.folder = swiftlet, folder
        self.host = kinds.Lines([python, str(here / "python_nodes.py")])
        self.nodes = {"2.4": [], "4.4": [], "ours": []}
        self.base = 20_000 + secrets.randbelow(9_000)

    def start(self):
        """Starts every node; each enters through one of another kind that was there before."""
        first = self.add("ours", 0)
        first.settle()
        for index in range(COUNT):
            for kind in self.nodes:
                if (kind, index) != ("ours", 0):
                    self.add(kind, first.port)
        for nodes in self.nodes.values():
            for node in nodes:
                node.settle()

    def add(self, kind, bootstrap):
        index = len(self.nodes[kind])
        identity = index < IDENTITIES
        if kind == "2.4":
            node = kinds.Release2(bootstrap, identity)
        elif kind == "4.4":
            node = kinds.Release4(self.host, f"n{index}", self.base + index, bootstrap, identity)
        else:
            base = f"{self.folder}/identity{index}"
            if identity:
                subprocess.run([self.swiftlet, "dht", "identity", "create", base], check=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            node = kinds.Ours(self.swiftlet, bootstrap, base if identity else "")
        self.nodes[kind].append(node)
        return node

    def end(self):
        for node in self.nodes["2.4"] + self.nodes["ours"]:
            if node.process.poll() is None:
                node.process.kill()
            node.process.wait()
        self.host.process.kill()
        self.host.process.wait()


def exchange(network, giver, taker, kind):
    """One kind of value from one kind of node to another, by get and by listen; returns what failed."""
    first = 0 if kind in ("signed", "encrypted") else IDENTITIES
    source = network.nodes[giver][first + secrets.randbelow(IDENTITIES)]
    target = network.nodes[taker][first + secrets.randbelow(IDENTITIES)]
    while target is source:
        target = network.nodes[taker][first + secrets.randbelow(IDENTITIES)]
    # Release 2 names readers by the short id, release 4 by the long one.
    reader = target.ids[giver == "4.4" or taker == "4.4"] if kind == "encrypted" else ""
    way = "plain" if kind == "large" else kind
    failed = []

    key, said = secrets.token_hex(20), text(kind)
    if not source.put(key, said, way, reader)():
        failed.append("put")
    # Eight nodes send a large value at once, more than a socket's buffer may hold, and stock sends lost parts once only.
    if not any(target.get(key, said, signed=kind == "signed")(WAITS[kind]) for _ in range(2 if kind == "large" else 1)):
        failed.append("get")

    key, said = secrets.token_hex(20), text(kind)
    heard = target.listen(key, said, signed=kind == "signed")
    source.put(key, said, way, reader)
    if not heard():
        failed.append("listen")
    return failed


def exchanges(network):
    pairs = [(giver, taker) for giver in network.nodes for taker in network.nodes]
    jobs = {}
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for kind in ("plain", "signed", "encrypted", "large", "permanent"):
            for giver, taker in pairs:
                if (giver, taker, kind) in IMPOSSIBLE:
                    print(f"skip  {giver} gives {taker} a value that is {kind}: the releases cannot")
                else:
                    jobs[giver, taker, kind] = pool.submit(exchange, network, giver, taker, kind)
    for (giver, taker, kind), job in jobs.items():
        failed = job.result()
        check(f"{giver} gives {taker} a value that is {kind}" + (f": {', '.join(failed)}" if failed else ""), not failed)


def deaths(network):
    """Puts by all kinds, sudden death of three nodes of each kind, gets by all kinds."""
    values = []
    for kind, nodes in network.nodes.items():
        for index in range(4):
            key, said = secrets.token_hex(20), text("plain")
            values.append((kind, key, said, nodes[IDENTITIES + index % 2].put(key, said, "plain")))
    check("every kind puts before the deaths", all(done() for _, _, _, done in values))
    for nodes in network.nodes.values():
        for node in nodes[-3:]:
            node.kill()
    for taker, nodes in network.nodes.items():
        for giver in network.nodes:
            waits = [nodes[IDENTITIES + index % 4].get(key, said)
                     for index, (kind, key, said, _) in enumerate(values) if kind == giver]
            check(f"{taker} finds what {giver} put before three nodes of each kind died", all(wait() for wait in waits))


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: mixed.py SWIFTLET PYTHON")
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        network = Network(sys.argv[1], sys.argv[2], folder)
        try:
            network.start()
            # Nodes publish their certificates once connected, and fill their tables.
            time.sleep(8)
            print(f"30 nodes after {time.monotonic() - start:.0f} s", flush=True)
            exchanges(network)
            print(f"exchanged after {time.monotonic() - start:.0f} s", flush=True)
            deaths(network)
        finally:
            network.end()
    seconds = time.monotonic() - start
    print(f"opendht-mixed: {results.count(True)} passed, {results.count(False)} failed, in {seconds:.0f} s")
    sys.exit(0 if results and all(results) else 1)


main()
