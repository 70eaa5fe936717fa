#!/usr/bin/env python3
"""Builds every kind of NAT, probes it with plain sockets and compares with what the lab claims. One line a check."""

import json
import os
import signal
import subprocess
import sys
import time

import lab
import router

PROBE = os.path.join(lab.HERE, "probe.py")
OPEN = {"udp": True, "tcp443": True, "tcp": True}


def claims(side):
    """What a probe must find behind a side."""
    if "noudp" in side.flags:
        return {"udp": False, "tcp443": True, "tcp": True}
    if "only443" in side.flags:
        return {"udp": False, "tcp443": True, "tcp": False}
    if side.is_public:
        return OPEN | {"nat": False, "mapping": router.INDEPENDENT, "filtering": router.INDEPENDENT}
    kind = router.KINDS[side.kind]
    found = OPEN | {"nat": True, "hairpin": "hairpin" in side.flags}
    if not side.carrier:
        return found | {
            "mapping": kind.mapping, "filtering": kind.filtering, "preserved": kind.ports == "preserved",
            "sequential": kind.ports == "sequential",
        }
    carrier = router.KINDS[side.carrier]
    stricter = [router.INDEPENDENT, router.ADDRESS, router.PORT]
    return found | {
        "mapping": max(kind.mapping, carrier.mapping, key=stricter.index),
        "filtering": max(kind.filtering, carrier.filtering, key=stricter.index),
    }


def serve(built):
    process = built.start("server", [sys.executable, PROBE, "serve"], stdout=subprocess.PIPE, stderr=None)
    process.stdout.readline()


def look(built, host):
    return json.loads(built.output(host, [sys.executable, PROBE, "look"]))


def check_side(text):
    """The probe behind one side against what that side claims."""
    side = lab.Side.read(text)
    with lab.Lab(side, lab.Side.read("public"), turn=False) as built:
        serve(built)
        found = look(built, "a")
    wanted = claims(side)
    return [f"{key} is {found.get(key)}, not {value}" for key, value in wanted.items() if found.get(key) != value]


def check_line():
    """Delay and loss of the line, measured by datagrams to the server and back."""
    line = lab.Line(delay_ms=25, jitter_ms=3, loss_percent=20, seed=3)
    with lab.Lab(lab.Side.read("portrestricted"), lab.Side.read("public"), line, turn=False) as built:
        serve(built)
        program = f"""
import socket, time, json, select
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); times = []
for _ in range(300):
    start = time.monotonic(); one.sendto(b"here", {lab.SERVER[0], 3480})
    if select.select([one], [], [], 0.15)[0]: one.recv(99); times.append(time.monotonic() - start)
print(json.dumps([len(times), sorted(times)[len(times) // 2] * 1000]))"""
        count, median = json.loads(built.output("a", [sys.executable, "-c", program]))
    problems = []
    # 0.8 squared of 300 round trips survive on average; 162 to 222 is four standard deviations around.
    if not 158 <= count <= 226:
        problems.append(f"{count} of 300 round trips survive 20 % of loss")
    if not 49 <= median <= 60:
        problems.append(f"the median round trip is {median:.1f} ms, not 50 to 60")
    return problems


def check_families():
    """IPv6 leads out where a side has it, nothing comes in uninvited, and IPv6 alone has no IPv4."""
    problems = []
    with lab.Lab(lab.Side.read("portrestricted/dual"), lab.Side.read("linux/v6only"), turn=False) as built:
        program = """
import socket, sys
one = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET); one.settimeout(1)
try: one.connect((sys.argv[1], 3480)); print("open")
except ConnectionRefusedError: print("reached")
except OSError: print("unreachable")"""
        reach = lambda host, place: built.output(host, [sys.executable, "-c", program, place]).strip()
        for host, place, wanted in [
            ("a", lab.SERVER6, "reached"), ("a", lab.SERVER[0], "reached"), ("b", lab.SERVER6, "reached"),
            ("b", lab.SERVER[0], "unreachable"), ("server", "2001:db8:a:2::10", "unreachable"),
        ]:
            if (found := reach(host, place)) != wanted:
                problems.append(f"{place} from {host} is {found}, not {wanted}")
    return problems


def check_neighbours():
    """Hosts behind one router reach each other, unless they are isolated."""
    problems = []
    for text, wanted in [("same", True), ("isolated", False)]:
        with lab.Lab(lab.Side.read("linux"), lab.Side.read(text), turn=False) as built:
            program = """
import socket; one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); one.bind(("192.168.1.20", 7000)); one.settimeout(1)
print("ready", flush=True)
try: print(one.recv(9) == b"hello")
except OSError: print(False)"""
            other = built.start("b", [sys.executable, "-c", program], stdout=subprocess.PIPE)
            other.stdout.readline()
            built.output("a", [sys.executable, "-c", """
import socket, time; one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(3): one.sendto(b"hello", ("192.168.1.20", 7000)); time.sleep(0.1)"""])
            if (found := other.stdout.readline().strip() == b"True") != wanted:
                problems.append(f"{text}: reached is {found}")
    return problems


SIDES = [
    "public", *router.KINDS, "fullcone/hairpin", "restricted/hairpin", "portrestricted/hairpin", "portrestricted/noudp",
    "linux/only443", "portrestricted/reject", "portrestricted~symmetric", "linux~fullcone", "fullcone~fullcone",
    "symmetric~linux", "linux/igd",
]


def main():
    start, failures = time.monotonic(), 0
    sides = sys.argv[1:] or SIDES
    checks = [(text, lambda text=text: check_side(text)) for text in sides]
    if sides is SIDES:
        checks += [("delay and loss", check_line), ("IPv6", check_families), ("neighbours", check_neighbours)]
    for name, check in checks:
        problems = check()
        failures += bool(problems)
        print(("FAIL " if problems else "ok   ") + name + ("  " + "; ".join(problems) if problems else ""), flush=True)
    print(f"{len(checks) - failures} of {len(checks)} checks hold, {time.monotonic() - start:.0f} s")
    return failures > 0


if __name__ == "__main__":
    # An end from outside takes the networks down as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
