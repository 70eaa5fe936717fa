#!/usr/bin/env python3
"""Connects our ICE sessions with agents of others, in each role and over each kind of pair:

    rows.py NAME=COMMAND... [--quick] [--rows NAME...] [--rounds N] [--json FILE] [--table]

The first side is ours, each of the others is tried with it. Commands are those of Benchmarks/ICE/Host/Host.swift. All of it
happens in network namespaces; see ../nat/lab.py. One line a row; fails when a row does.
"""

import argparse
import contextlib
import itertools
import json
import os
import random
import shlex
import statistics
import sys
import time
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [os.path.join(HERE, "../nat"), os.path.join(HERE, "../../../Benchmarks/ICE")]

import lab  # noqa: E402
from bench import Failed, Side  # noqa: E402

SERVER = lab.SERVER[0]
SIZES = [1, 2, 3, 4, 5, 31, 64, 160, 333, 512, 1000, 1199, 1200]
# Longer than consent lasts without an answer (RFC 7675 §5.1).
STAY_SECONDS = 36

HOST, RELAY = frozenset({"host"}), frozenset({"relay"})
REFLEXIVE = frozenset({"srflx", "prflx"})
# An implementation may name the base of its candidate, or what the peer sees.
SEEN = HOST | REFLEXIVE


@dataclass(frozen=True)
class Way:
    """One kind of pair: the network, what each side is told, and which pair each should select."""

    text: str
    topology: str
    # Options of our host and of the other; {folder} is where the server's certificate lies.
    options: tuple
    # The kinds of the local and of the remote candidate, at our side and at the other.
    ours: tuple
    theirs: tuple
    transport: str = "udp"
    # Which TCP candidates of our side and of the other are told.
    roles: tuple = (None, None)
    stays: bool = False
    # Ours is told a name for the other side's address, and the other side wrong ports of ours: only the name leads there.
    named: bool = False


RESTRICTED = "portrestricted+portrestricted"
STUN, RELAYED = f"--stun {SERVER}:3478", f"--turn {SERVER}:3478 --relay-only"
TRUSTED = "--authority {folder}/cert.pem --relay-only"
WAYS = {
    "host": Way("on one link", "portrestricted+same", ("", ""), (HOST, HOST), (HOST, HOST)),
    "reflexive": Way(
        "behind two NATs that let in only whom they sent to", RESTRICTED, (STUN, STUN), (SEEN, REFLEXIVE),
        (SEEN, REFLEXIVE)),
    "relay": Way(
        "each over a relay alone", RESTRICTED, (RELAYED, RELAYED), (RELAY, RELAY | {"prflx"}),
        (RELAY, RELAY | {"prflx"})),
    "relay-tls": Way(
        "each over a relay alone; ours talks to the server under TLS on port 443", RESTRICTED,
        (f"--turn-tls {SERVER}:443 {TRUSTED}", RELAYED), (RELAY, RELAY | {"prflx"}), (RELAY, RELAY | {"prflx"})),
    "tcp-they-connect": Way(
        "TCP on one link; ours is passive, the other side active", "portrestricted+same", ("--tcp", "--tcp"),
        (HOST, HOST | {"prflx"}), (HOST | {"prflx"}, HOST), "tcp", ("passive", "active")),
    "tcp-we-connect": Way(
        "TCP on one link; ours is active, the other side passive", "portrestricted+same", ("--tcp", "--tcp"),
        (HOST | {"prflx"}, HOST), (HOST, HOST | {"prflx"}), "tcp", ("active", "passive")),
    "tcp-relay": Way(
        "TCP, each over a relay alone (RFC 6062)", RESTRICTED, (f"--tcp {RELAYED}", f"--tcp {RELAYED}"),
        (RELAY, RELAY | {"prflx"}), (RELAY, RELAY | {"prflx"}), "tcp"),
    "tcp-one-relay": Way(
        "TCP, ours over a relay alone, the other side behind a NAT", "symmetric+symmetric",
        (f"--tcp {RELAYED}", f"--tcp --turn {SERVER}:3478"), (RELAY, RELAY | REFLEXIVE),
        (HOST | RELAY | REFLEXIVE, RELAY), "tcp"),
    "named": Way(
        "on one link, where ours knows a .local name only", "portrestricted+same", ("", ""), (HOST, HOST),
        (HOST, REFLEXIVE), named=True),
    "stays": Way(
        f"behind two NATs, {STAY_SECONDS} s without data: longer than a path is kept that fails its consent checks",
        RESTRICTED, (STUN, STUN), (SEEN, REFLEXIVE), (SEEN, REFLEXIVE), stays=True),
}
# Ways that no other implementation has: there both sides are ours.
OURS = {"tcp-relay", "tcp-one-relay"}
# What an implementation does not have.
LACKING = {"aioice": {"tcp-they-connect", "tcp-we-connect"}, "libnice": {"named"}}


@dataclass(frozen=True)
class Row:
    other: str
    way: str
    is_ours_controlling: bool

    @property
    def name(self):
        return f"{self.other}-{self.way}-{'we' if self.is_ours_controlling else 'they'}-control"


def rows(ours, others):
    for way, other, controls in itertools.product(WAYS, [ours, *others], (True, False)):
        is_for_both = (other == ours) == (way in OURS)
        if is_for_both and way not in LACKING.get(other, ()) and (controls or not WAYS[way].stays):
            yield Row(other, way, controls)


def only(description, role):
    """The description without TCP candidates of another role."""
    if role is None:
        return description
    read = json.loads(bytes.fromhex(description))
    read["candidates"] = [line for line in read["candidates"] if f"tcptype {role}" in line]
    if not read["candidates"]:
        raise Failed(f"no candidate is {role}")
    return json.dumps(read).encode().hex()


def open_both(sides, roles, tcp_roles):
    tags = [side.tell("open", "it", role) for side, role in zip(sides, roles)]
    for side in sides:
        side.process.stdin.flush()
    told = [side.await_all([tag]) for side, tag in zip(sides, tags)]
    return [only(answers[0][1], role) for answers, role in zip(told, tcp_roles)]


def misled(description):
    """The description with ports where nobody is: an agent that knows of no candidate gives up at once."""
    read = json.loads(bytes.fromhex(description))
    words = [line.split() for line in read["candidates"]]
    read["candidates"] = [" ".join([*line[:5], "9", *line[6:]]) for line in words]
    return json.dumps(read).encode().hex()


def named(description, side):
    """The description with a name in place of the address, which the side answers for."""
    read = json.loads(bytes.fromhex(description))
    words = [line.split() for line in read["candidates"]]
    name = f"swiftlet-{os.getpid()}.local"
    side.do("publish", "it", name, words[0][4])
    read["candidates"] = [" ".join([*line[:4], name, *line[5:]]) for line in words]
    return json.dumps(read).encode().hex()


def connect(sides, descriptions):
    """Tells each side of the other; returns milliseconds until both could send."""
    start = time.monotonic()
    tags = [side.tell("remote", "it", other) for side, other in zip(sides, reversed(descriptions))]
    for side in sides:
        side.process.stdin.flush()
    answers = [side.await_all([tag])[0] for side, tag in zip(sides, tags)]
    if not all(result for result, _, _ in answers):
        raise Failed("no pair")
    return (max(when for _, _, when in answers) - start) * 1000


def selected(side, patience=5):
    limit = time.monotonic() + patience
    while time.monotonic() < limit:
        result, value, _ = side.await_all([side.tell("pair", "it")])[0]
        if result:
            return value.split("/")
        time.sleep(0.02)
    raise Failed("no pair was selected")


def judge_pair(pair, kinds, transport, who):
    local, remote, found = pair
    if local not in kinds[0] or remote not in kinds[1] or found != transport:
        raise Failed(f"{who} selected {local}/{remote} over {found}")


def talk(sender, receiver, who, seed):
    """Sends datagrams of many lengths; all must arrive as they were, in whatever order."""
    source = random.Random(seed)
    # None looks like STUN: the first byte tells them apart (RFC 7983).
    datagrams = [bytes([128 + source.randrange(64)]) + source.randbytes(size - 1) for size in SIZES]
    receiver.do("heard", "it")
    for datagram in datagrams:
        if sender.do("send", "it", datagram.hex()) != 1:
            raise Failed(f"{who} could not send {len(datagram)} bytes")
    heard, limit = [], time.monotonic() + 5
    while len(heard) < len(datagrams) and time.monotonic() < limit:
        time.sleep(0.02)
        _, value, _ = receiver.await_all([receiver.tell("heard", "it")])[0]
        heard += value.split(",") if value else []
    if sorted(heard) != sorted(datagram.hex() for datagram in datagrams):
        raise Failed(f"{len(heard)} of {len(datagrams)} datagrams of {who} arrived, or others")


def host(built, node, command, options):
    words = shlex.split(f"{command} {options.format(folder=built.folder)}")
    return Side(shlex.join(built.command(node, words)))


def close(hosts):
    for side in hosts:
        with contextlib.suppress(Exception):
            side.close()


def play(row, built, commands):
    way = WAYS[row.way]
    hosts = [host(built, node, *words) for node, *words in zip("ab", commands, way.options)]
    try:
        roles = ("controlling", "controlled")
        descriptions = open_both(hosts, roles if row.is_ours_controlling else roles[::-1], way.roles)
        if way.named:
            descriptions = [misled(descriptions[0]), named(descriptions[1], hosts[1])]
        connected = connect(hosts, descriptions)
        pairs = [selected(side) for side in hosts]
        judge_pair(pairs[0], way.ours, way.transport, "ours")
        judge_pair(pairs[1], way.theirs, way.transport, row.other)
        talk(hosts[0], hosts[1], "ours", row.name)
        talk(hosts[1], hosts[0], row.other, row.name)
        if way.stays:
            time.sleep(STAY_SECONDS)
            talk(hosts[0], hosts[1], "ours, later,", row.name + "later")
            talk(hosts[1], hosts[0], f"{row.other}, later,", row.name + "later")
        return connected, "/".join(pairs[0])
    finally:
        close(hosts)


# Servers under TLS that ours talks to alone: the options, and whether it should.
SERVERS = {
    "tls-authority": (f"--turn-tls {SERVER}:443 {TRUSTED}", True),
    "tls-any-server": (f"--turn-tls {lab.SERVER[1]}:443 --any-server --relay-only", True),
    "tls-unknown-authority": (f"--turn-tls {SERVER}:443 --relay-only", False),
    "tls-other-name": (f"--turn-tls {lab.SERVER[1]}:443 {TRUSTED}", False),
}


def ask(name, built, command):
    """Asks a server for a relay; there must be one exactly where the server is to be trusted."""
    options, is_trusted = SERVERS[name]
    side = host(built, "a", command, options)
    try:
        _, value, _ = side.await_all([side.tell("open", "it", "controlling")])[0]
        count = len(json.loads(bytes.fromhex(value))["candidates"])
        if bool(count) != is_trusted:
            raise Failed(f"{count} relays")
        return "trusted, and gave a relay" if is_trusted else "was not asked for a relay"
    finally:
        close([side])


def table(figures):
    """The results as a table of Documentation/Interop.md."""
    print("| with | pair | controlled by | passed | both could send after, ms: median (maximum) |")
    print("| --- | --- | --- | --- | --- |")
    for found in figures.values():
        passed = [value for value in found["connected_ms"] if value is not None]
        times = f"{statistics.median(passed):.0f} ({max(passed):.0f})" if passed else ""
        who = "us" if found["ours"] else "them"
        print(f"| {found['other']} | {WAYS[found['way']].text} | {who} | {len(passed)} of {len(found['connected_ms'])} "
              f"| {times} |")


def judged(name, work):
    """Does a row's work and prints what it says; `None` when it failed."""
    try:
        text = work()
    except Failed as problem:
        print(f"FAIL  {name}: {problem}", flush=True)
        return None
    print(f"ok    {name}: {text}", flush=True)
    return text


def try_row(row, built, commands, figures):
    """Plays a row and keeps how long it took; returns how many failed."""
    found = figures.setdefault(
        row.name, {"other": row.other, "way": row.way, "ours": row.is_ours_controlling, "connected_ms": []})

    def work():
        connected, pair = play(row, built, commands)
        found["connected_ms"].append(connected)
        return f"{pair}, both could send after {connected:.0f} ms"

    if judged(row.name, work) is not None:
        return 0
    found["connected_ms"].append(None)
    return 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sides", nargs="+", metavar="NAME=COMMAND")
    parser.add_argument("--quick", action="store_true", help="without the rows of half a minute")
    parser.add_argument("--rows", nargs="+", default=[])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    commands = dict(side.partition("=")[::2] for side in options.sides)
    ours, *others = commands
    figures, failures = {}, 0
    wanted = [row for row in rows(ours, others)
              if (not options.rows or row.name in options.rows) and not (options.quick and WAYS[row.way].stays)]
    for _ in range(options.rounds):
        for topology, group in itertools.groupby(
                sorted(wanted, key=lambda row: WAYS[row.way].topology), lambda row: WAYS[row.way].topology):
            with lab.Lab(*lab.read_topology(topology)) as built:
                for row in group:
                    failures += try_row(row, built, (commands[ours], commands[row.other]), figures)
    servers = [name for name in SERVERS if not options.rows or name in options.rows]
    if servers:
        with lab.Lab(*lab.read_topology("public+public")) as built:
            for name in servers:
                failures += judged(name, lambda name=name: ask(name, built, commands[ours])) is None
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)
    if options.table:
        table(figures)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
