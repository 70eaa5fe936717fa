#!/usr/bin/env python3
"""Measures our DHT and OpenDHT 4.4.2 side by side, and prints one row a figure with the ratio of both.

usage: bench.py [--quick] [--threads N] --python PYTHON HOST LOAD

PYTHON has the opendht module, HOST and LOAD are dht-bench-host and dht-bench-load. Both sides are up at the same time and
take turns, so that what else the machine does meets both; a ratio above 1 says that ours is better, whatever the row
counts. Rate limits are off, as everything comes from one address. CPU and memory are those of the hosting process.
"""
import argparse
import hashlib
import json
import os
import pathlib
import random
import select
import statistics
import subprocess
import sys
import time


def digest(*words):
    return hashlib.sha1(" ".join(map(str, words)).encode()).hexdigest()


def payload(key):
    return (digest("payload", key) * 5)[:200]


class Side:
    """One process with many nodes."""

    def __init__(self, name, command):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.poll = select.poll()
        self.poll.register(self.process.stdout, select.POLLIN)
        self.unread = b""
        self.waiting = {}
        self.unsaid = []
        self.tags = 0
        self.run([("nop",)] * 50)
        self.base = self.memory()

    def cpu(self):
        """Seconds of processor time so far: the clock of another process, as the kernel numbers them."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def memory(self):
        """Anonymous memory in kilobytes."""
        for line in open(f"/proc/{self.process.pid}/smaps_rollup"):
            if line.startswith("Anonymous:"):
                return int(line.split()[1])

    def order(self, words, answered):
        """Says what is to be done, with the next call of `read`."""
        self.tags += 1
        self.waiting[str(self.tags)] = answered
        self.unsaid.append(" ".join([words[0], str(self.tags), *map(str, words[1:])]) + "\n")

    def read(self, seconds):
        # What is ordered in one go takes one write: this program must not be what is measured.
        if self.unsaid:
            os.write(self.process.stdin.fileno(), "".join(self.unsaid).encode())
            self.unsaid = []
        if not self.poll.poll(max(0, seconds * 1000)):
            return
        chunk = os.read(self.process.stdout.fileno(), 1 << 18)
        if not chunk:
            sys.exit(f"bench: the {self.name} side ended")
        now = time.monotonic()
        *lines, self.unread = (self.unread + chunk).split(b"\n")
        for line in lines:
            kind, tag, text, *_ = line.decode().split(" ")
            answered = self.waiting.get(tag)
            if kind == "done":
                self.waiting.pop(tag, None)
            if answered:
                answered(kind, text, now)

    def rest(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(left)

    def run(self, orders, width=1, patience=90):
        """Carries orders out, `width` at a time; returns their milliseconds, values and success, and the seconds in all."""
        results, left = [{"values": set(), "good": False, "ms": None} for _ in orders], list(reversed(orders))
        state = {"running": 0, "begun": 0}
        start = time.monotonic()

        def begin(words):
            entry = results[state["begun"]]
            entry["start"] = time.monotonic()
            state["begun"] += 1
            state["running"] += 1

            def answered(kind, text, now):
                if kind == "value":
                    entry["values"].add(text)
                else:
                    entry["ms"] = (now - entry["start"]) * 1e3
                    entry["good"] = text == "1"
                    state["running"] -= 1
            self.order(words, answered)

        while left or state["running"]:
            while left and state["running"] < width:
                begin(left.pop())
            self.read(0.5)
            if time.monotonic() - start > patience:
                break
        return results, time.monotonic() - start

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def percentile(values, share):
    values = sorted(value for value in values if value is not None)
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


class Rows:
    """What was measured: one list of samples for each row and side."""

    def __init__(self):
        self.rows = {}

    def add(self, row, unit, is_more_better, goal, side, value):
        entry = self.rows.setdefault(row, {"unit": unit, "more": is_more_better, "goal": goal, "ours": [], "stock": []})
        entry[side].append(value)

    def print(self):
        print(f"{'':44} {'stock':>10} {'ours':>10}  {'':8} {'ratio':>7}  goal")
        for row, entry in self.rows.items():
            stock, ours = statistics.median(entry["stock"]), statistics.median(entry["ours"])
            ratio = ours / stock if entry["more"] else stock / ours if ours else float("nan")
            if stock == 0 and ours == 0:
                ratio = 1
            print(f"{row:44} {stock:10.4g} {ours:10.4g}  {entry['unit']:8} {ratio:7.2f}  {entry['goal']}")

    def facts(self):
        return {row: {key: entry[key] for key in ("unit", "stock", "ours")} for row, entry in self.rows.items()}


class Bench:
    def __init__(self, arguments):
        self.quick = arguments.quick
        here = pathlib.Path(__file__).resolve().parent
        self.stock = [arguments.python, str(here / "stock_host.py")]
        self.commands = {"stock": self.stock, "ours": [arguments.host, str(arguments.threads)]}
        self.load = arguments.load
        self.rows = Rows()

    def cluster(self, count, port):
        """Both sides with `count` nodes each, every node entering through an earlier one."""
        sides = []
        for index, (name, command) in enumerate(self.commands.items()):
            draw, base = random.Random(count), port + 1000 * index
            side = Side(name, command)
            orders = [("node", node, base + node, base + draw.randrange(node) if node else 0, digest("node", node), 0)
                      for node in range(count)]
            results, _ = side.run(orders)
            if not all(result["good"] for result in results):
                sys.exit(f"bench: the {name} side could not start its nodes")
            sides.append(side)
        for side in sides:
            side.rest(8 if self.quick else 15)
        return sides

    # Answers of one node

    def answers(self):
        sides, others = [], []
        for index, (name, command) in enumerate(self.commands.items()):
            port = 31000 + 200 * index
            around = Side("neighbours", self.stock)
            around.run([("node", node, port + 1 + node, port + 1 if node else 0, digest("near", name, node), 0)
                        for node in range(32)])
            side = Side(name, command)
            side.run([("node", 0, port, port + 1, digest("loaded"), 0)])
            side.port = port
            sides.append(side)
            others.append(around)
        sides[0].rest(6 if self.quick else 12)
        for round in range(2 if self.quick else 5):
            for mode in ("ping", "get", "find"):
                for side in sides if round % 2 else reversed(sides):
                    output = subprocess.run(
                        [self.load, str(side.port), mode, "1" if self.quick else "2", "64", str(side.process.pid)],
                        stdout=subprocess.PIPE, check=True).stdout
                    facts = json.loads(output)
                    row = f"{mode}: answers per CPU-second"
                    self.rows.add(row, "/s", True, "1.5", side.name, facts["per_cpu_second"])
                    self.rows.add(f"{mode}: wrong or lost answers", "", False, "0", side.name,
                                  facts["wrong"] + facts["lost"])
        for side in sides + others:
            side.end()

    # A cluster

    def operations(self):
        count = 50
        sides = self.cluster(count, 33000)
        for side in sides:
            self.rows.add("memory per node, idle", "KB", False, "2", side.name, (side.memory() - side.base) / count)
        single = 20 if self.quick else 30
        # The first rounds, after which memory is read, are short, and the nodes are new to each other.
        amounts = [100] if self.quick else [120, 120, 120, 400, 400, 400, 400]
        memory_after = min(3, len(amounts))
        for round, many in enumerate(amounts):
            keys = [digest("A", round, index) for index in range(single + many)]
            puts = [("put", (index + round) % count, key, payload(key)) for index, key in enumerate(keys)]
            gets = [("get", (index * 7 + 3) % count, key) for index, key in enumerate(keys)]
            for verb, orders, goal in (("put", puts, "3"), ("get", gets, "3")):
                for side in sides if round % 2 else reversed(sides):
                    results, _ = side.run(orders[:single])
                    self.rows.add(f"{verb}, one at a time, p50", "ms", False, "", side.name,
                                  percentile([result["ms"] for result in results], 0.5))
                for side in sides if round % 2 else reversed(sides):
                    before = side.cpu()
                    results, seconds = side.run(orders[single:], width=16)
                    self.rows.add(f"{verb}s with 16 in flight", "/s", True, goal, side.name, many / seconds)
                    self.rows.add(f"CPU of one {verb}, all nodes together", "ms", False, "", side.name,
                                  (side.cpu() - before) * 1e3 / many)
                    if verb == "get":
                        self.count_lost("gets in a cluster without their value", side, results, keys[single:])
            for side in sides:
                self.listen(side, round, count)
            if round + 1 == memory_after:
                row = f"memory per node after {memory_after * 2 * (single + many)} operations"
                for side in sides:
                    self.rows.add(row, "KB", False, "2", side.name, (side.memory() - side.base) / count)
        for side in sides:
            side.end()

    def listen(self, side, round, count):
        keys, pushed, times = [digest("L", round, index) for index in range(15)], {}, []
        for index, key in enumerate(keys):
            side.order(("listen", index * 3 % count, key),
                       lambda kind, text, now, key=key: pushed.setdefault(key, (now, text)))
        side.rest(0.8)
        for index, key in enumerate(keys):
            start = time.monotonic()
            side.order(("put", (index * 11 + 2) % count, key, payload(key)), None)
            while key not in pushed and time.monotonic() - start < 3:
                side.read(0.1)
            if key in pushed and pushed[key][1] == payload(key):
                times.append((pushed[key][0] - start) * 1e3)
        self.rows.add("listen: push latency, p50", "ms", False, "", side.name, percentile(times, 0.5))
        self.rows.add("listen: values never pushed", "", False, "0", side.name, len(keys) - len(times))

    def count_lost(self, row, side, results, keys):
        lost = sum(payload(key) not in result["values"] for result, key in zip(results, keys))
        self.rows.add(row, "", False, "0", side.name, lost)

    # Sudden death

    def deaths(self):
        count, amount = 100, 60 if self.quick else 200
        sides = self.cluster(count, 36000)
        keys = [digest("B", index) for index in range(amount)]
        puts = [("put", index % 33, key, payload(key)) for index, key in enumerate(keys)]
        gets = [("get", count - 1 - index % 33, key) for index, key in enumerate(keys)]
        fresh = [digest("C", index) for index in range(amount // 3)]
        news = [("put", index % 33, key, payload(key)) for index, key in enumerate(fresh)]
        dead = random.Random(7).sample(range(33, 66), 29)
        # Of some keys all eight copies die: nobody can find those.
        numbers = [int(digest("node", node), 16) for node in range(count)]

        def survives(key):
            closest = sorted(range(count), key=lambda node: numbers[node] ^ int(key, 16))[:8]
            return any(node not in dead for node in closest)
        kept = [index for index, key in enumerate(keys) if survives(key)]
        for side in sides:
            side.run(puts, width=8)
            side.run([("kill", node) for node in dead])
            results, _ = side.run(gets, width=8)
            self.times("get right after 29 of 100 died", side, results)
            self.count_lost("values lost of which a copy survived", side, [results[index] for index in kept],
                            [keys[index] for index in kept])
            results, _ = side.run(news, width=8)
            self.times("put right after 29 of 100 died", side, results)
        for side in sides:
            side.end()

    def times(self, row, side, results):
        times = [result["ms"] for result in results if result["ms"] is not None]
        for share in (50, 95):
            self.rows.add(f"{row}, p{share}", "ms", False, {50: "<100 ms", 95: "<300 ms"}[share], side.name,
                          percentile(times, share / 100))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--quick", action="store_true", help="fewer rounds; figures that say only whether all works")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads that our nodes share")
    parser.add_argument("--json", help="also write every sample to this file")
    parser.add_argument("--parts", default="answers,operations,deaths")
    parser.add_argument("host")
    parser.add_argument("load")
    arguments = parser.parse_args()
    bench = Bench(arguments)
    for part in arguments.parts.split(","):
        getattr(bench, part)()
    bench.rows.print()
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(bench.rows.facts(), file, indent=1)


main()
