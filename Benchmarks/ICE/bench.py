#!/usr/bin/env python3
"""Measures ICE implementations side by side in one run: bench.py NAME=COMMAND... [--rounds N] [--pairs N] [--json FILE]

Each COMMAND hosts sessions under the commands in Host/Host.swift. Everything happens in a network namespace with one address, so
that each session has one candidate. Sides take turns, every figure is the median of the rounds with the least and the most.
"""

import argparse
import json
import os
import queue
import shlex
import statistics
import subprocess
import sys
import threading
import time

ADDRESS = "10.9.0.1"
SIZE, SECONDS, BURSTS = 1200, 1.5, (1, 8, 64)
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A side did not do what it was told."""


class Side:
    """A process under the commands of Host.swift."""

    def __init__(self, command):
        self.process = subprocess.Popen(shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.values, self.answers, self.last = {}, {}, 0
        self.news = queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.news.put((time.monotonic(), line.decode().split()))
        self.news.put((time.monotonic(), None))

    def tell(self, verb, *words):
        self.last += 1
        tag = str(self.last)
        self.process.stdin.write(" ".join([verb, tag, *map(str, words)]).encode() + b"\n")
        return tag

    def await_all(self, tags, patience=60):
        """Waits for the answers to commands; returns (result, value, when) of each."""
        self.process.stdin.flush()
        limit = time.monotonic() + patience
        while not all(tag in self.answers for tag in tags):
            try:
                when, words = self.news.get(timeout=max(0.01, limit - time.monotonic()))
            except queue.Empty:
                raise Failed("no answer in time") from None
            if words is None:
                raise Failed("the process ended")
            if words[0] == "value":
                self.values[words[1]] = words[2]
            else:
                self.answers[words[1]] = (int(words[2]), self.values.pop(words[1], None), when)
        return [self.answers.pop(tag) for tag in tags]

    def do(self, verb, *words):
        return self.await_all([self.tell(verb, *words)])[0][0]

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)

    @property
    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/smaps_rollup", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Rss:"))


def datagrams_sent():
    """UDP datagrams that left sockets of this namespace so far."""
    with open("/proc/net/snmp", encoding="ascii") as file:
        names, values = [line.split() for line in file if line.startswith("Udp:")]
    return int(values[names.index("OutDatagrams")])


def connect(first, second, names):
    """Connects named pairs at once; returns milliseconds with and without gathering."""
    start = time.monotonic()
    openers = [[side.tell("open", side_name, role) for side_name in column] for side, role, column in (
        (first, "controlling", [a for a, _ in names]), (second, "controlled", [b for _, b in names]))]
    descriptions = [[value for _, value, _ in side.await_all(tags)] for side, tags in zip((first, second), openers)]
    opened = time.monotonic()
    tags = [
        [first.tell("remote", a, other) for (a, _), other in zip(names, descriptions[1])],
        [second.tell("remote", b, other) for (_, b), other in zip(names, descriptions[0])],
    ]
    first.process.stdin.flush()
    answers = second.await_all(tags[1]) + first.await_all(tags[0])
    if not all(result for result, _, _ in answers):
        raise Failed("a pair did not connect")
    end = max(when for _, _, when in answers)
    return (end - start) * 1000, (end - opened) * 1000


def blast(figures, label, first, second):
    """Datagrams through a connected pair, by the size of bursts; the best one counts."""
    connect(first, second, [("a", "b")])
    sides, best = {first, second}, None
    for burst in BURSTS:
        second.do("count", "b")
        start, cpu = time.monotonic(), sum(side.cpu_seconds for side in sides)
        sent = first.do("blast", "a", SIZE, SECONDS, burst)
        seconds, cpu = time.monotonic() - start, sum(side.cpu_seconds for side in sides) - cpu
        time.sleep(0.1)
        received = second.do("count", "b")
        found = (received / seconds, burst, 1 - received / max(1, sent), cpu * 1e6 / max(1, received))
        best = max(best or found, found)
    for name, value in zip(("received_per_s", "burst", "loss", "cpu_us_per_datagram"), best):
        figures.setdefault(f"{label}.{name}", []).append(value)
    for side, name in ((first, "a"), (second, "b")):
        side.do("close", name)
    return best[1]


def bare(figures, side, burst):
    """The same between plain sockets, where the side has that."""
    cpu = side.cpu_seconds
    received = side.do("bare", SIZE, SECONDS, burst)
    if received <= 1:
        return
    cost = (side.cpu_seconds - cpu) * 1e6 / received
    figures.setdefault("bare.received_per_s", []).append(received / SECONDS)
    figures.setdefault("bare.cpu_us_per_datagram", []).append(cost)
    figures.setdefault("one.cpu_of_bare", []).append(figures["one.cpu_us_per_datagram"][-1] / cost)


def many(figures, command, pairs):
    side = Side(command)
    connect(side, side, [("warm-a", "warm-b")])
    for name in ("warm-a", "warm-b"):
        side.do("close", name)
    before, packets = side.resident_kib, datagrams_sent()
    whole, checks = connect(side, side, [(f"a{index}", f"b{index}") for index in range(pairs)])
    figures.setdefault("many.connected_ms", []).append(checks)
    figures.setdefault("many.opened_and_connected_ms", []).append(whole)
    time.sleep(0.5)
    figures.setdefault("many.packets_per_pair", []).append((datagrams_sent() - packets) / pairs)
    figures.setdefault("many.kib_per_agent", []).append((side.resident_kib - before) / (2 * pairs))
    side.close()


def measure(figures, command, options):
    first, second = Side(command), Side(command)
    for _ in range(options.connects):
        whole, checks = connect(first, second, [("a", "b")])
        figures.setdefault("two.connect_ms", []).append(checks)
        for side, name in ((first, "a"), (second, "b")):
            side.do("close", name)
    burst = blast(figures, "one", first, first)
    bare(figures, first, burst)
    blast(figures, "two", first, second)
    first.close()
    second.close()
    many(figures, command, options.pairs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sides", nargs="+", metavar="NAME=COMMAND")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connects", type=int, default=10)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--json")
    options = parser.parse_args()
    if os.environ.get("SWIFTLET_BENCH_INSIDE") != "1":
        os.environ["SWIFTLET_BENCH_INSIDE"] = "1"
        inner = f'ip link set lo up && ip address add {ADDRESS}/32 dev lo && exec "$@"'
        os.execvp("unshare", ["unshare", "--net", "sh", "-c", inner, "sh", sys.executable, *sys.argv])
    sides = [side.partition("=")[::2] for side in options.sides]
    figures = {name: {} for name, _ in sides}
    for number in range(options.rounds):
        for name, command in sides[number % len(sides):] + sides[:number % len(sides)]:
            try:
                measure(figures[name], command, options)
            except Failed as problem:
                print(f"{name}: round {number}: {problem}", file=sys.stderr)
    for key in dict.fromkeys(key for name, _ in sides for key in figures[name]):
        for name, _ in sides:
            if values := figures[name].get(key):
                print(f"{key} {name} {statistics.median(values):.4g} ({min(values):.4g} to {max(values):.4g})")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
