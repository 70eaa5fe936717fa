#!/usr/bin/env python3
"""Checks that nodes on one link find each other by multicast: swiftlet and stock OpenDHT, without any bootstrap host.

usage: test-lan.py SWIFTLET [PYTHON]

Makes network namespaces joined by a bridge, one a node, and starts `swiftlet dht node` beside Debian's `dhtnode` and,
where PYTHON can import opendht, the OpenDHT it brings. Prints one line for each check and a summary, and exits with 1
when a check failed. Needs root. Every wait ends with the line it waits for, or fails after WAIT seconds.
"""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Tests/Interop/opendht"))
from programs import WAIT, Lines, end_all

PREFIX = f"swiftlet-lan-{os.getpid()}"
spaces = []
results = []

# A node of the other release that obeys lines: it is told nothing but to look for others on its link.
STOCK = """
import sys
import opendht as dht
config = dht.DhtConfig()
config.setPeerDiscovery(True, True)
node = dht.DhtRunner()
node.run(port=4222, config=config)
print('node', node.getNodeId(), flush=True)
for line in sys.stdin:
    words = line.split()
    if words[0] == 'put':
        print('put', node.put(dht.InfoHash.get(words[1]), dht.Value(words[2].encode())), flush=True)
    else:
        for value in node.get(dht.InfoHash.get(words[1])) or []:
            print('value', value.data, flush=True)
"""


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def space(name):
    ip("netns", "add", f"{PREFIX}-{name}")
    spaces.append(f"{PREFIX}-{name}")
    ip("-n", f"{PREFIX}-{name}", "link", "set", "lo", "up")


def plug(name, number, families=(4, 6)):
    """A cable from a namespace to the bridge."""
    ip("-n", f"{PREFIX}-hub", "link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0",
       "netns", f"{PREFIX}-{name}")
    ip("-n", f"{PREFIX}-hub", "link", "set", f"to-{name}", "master", "bridge", "up")
    if 6 not in families:
        subprocess.run(["ip", "netns", "exec", f"{PREFIX}-{name}", "sysctl", "-qw",
                        "net.ipv6.conf.eth0.disable_ipv6=1"], check=True)
    if 4 in families:
        ip("-n", f"{PREFIX}-{name}", "addr", "add", f"192.0.2.{number}/24", "dev", "eth0")
    if 6 in families:
        ip("-n", f"{PREFIX}-{name}", "addr", "add", f"2001:db8::{number}/64", "dev", "eth0", "nodad")
    ip("-n", f"{PREFIX}-{name}", "link", "set", "eth0", "up")
    # Stock nodes join groups on the interface of the default route.
    if 4 in families:
        ip("-n", f"{PREFIX}-{name}", "route", "add", "default", "via", "192.0.2.254")


def unplug(name):
    ip("-n", f"{PREFIX}-hub", "link", "delete", f"to-{name}")


class Program(Lines):
    """A program in a namespace."""

    def __init__(self, where, *arguments):
        super().__init__(["ip", "netns", "exec", f"{PREFIX}-{where}", *arguments])


def check(name, passed):
    results.append(bool(passed))
    print(("ok    " if passed else "FAIL  ") + name, flush=True)
    return passed


def ours(where, swiftlet, *arguments):
    return Program(where, swiftlet, "dht", "node", "--json", "--bootstrap", "none", *arguments)


def connected(node, family, name, since=0):
    check(name, node.event("network", since=since, family=family, connected=True))


def swiftlets(swiftlet):
    """Two nodes of ours, over both families, and one of another network beside them."""
    plug("a", 1)
    plug("b", 2)
    plug("c", 3)
    first, other = ours("a", swiftlet), ours("c", swiftlet, "--network", "9")
    first.event("listening")
    other.event("listening")
    second = ours("b", swiftlet)
    for family in ("IPv4", "IPv6"):
        connected(first, family, f"a node is found by one that starts later, over {family}")
        connected(second, family, f"a node that starts later finds it, over {family}")
    check("a node of another network on the same link stays alone",
          not other.event("network", connected=True, patience=1))
    get = Program("b", swiftlet, "dht", "get", "nothing", "--json", "--bootstrap", "none")
    check("a command without a bootstrap host finds the network", get.event("finished"))
    # A node that starts without any link, and gets one later.
    unplug("a")
    unplug("b")
    late = ours("a", swiftlet)
    late.event("listening")
    plug("a", 1)
    plug("b", 2)
    for family in ("IPv4", "IPv6"):
        connected(late, family, f"a node whose link comes later is connected then, over {family}")
    check("it ends well", late.end() == 0)
    for node in (first, second, other):
        check("a node ends well", node.end() == 0)
    for name in "abc":
        unplug(name)


def stock_old(swiftlet):
    """Debian's dhtnode, started before and after ours."""
    for order in ("before", "after"):
        for families in ((4,), (6,)):
            family = "IPv4" if families == (4,) else "IPv6"
            plug("a", 1, families)
            plug("b", 2, families)
            node = ours("a", swiftlet) if order == "after" else None
            if node:
                node.event("listening")
            stock = Program("b", "dhtnode", "-D", "-p", "4222")
            stock.find("running on port")
            node = node or ours("a", swiftlet)
            connected(node, family, f"dhtnode 2.4.12 started {order} ours: found over {family}")
            place = f"lan-{order}-{family}"
            get = Program("a", swiftlet, "dht", "put", place, "to-stock", "--json", "--bootstrap", "none")
            check(f"ours puts where only dhtnode {order} and ours are, over {family}", get.event("finished"))
            since = stock.say(f"g {place}")
            check(f"dhtnode {order} gets it over {family}", stock.find("to-stock", since))
            check("ours ends well", node.end() == 0)
            stock.say("x")
            stock.process.wait(WAIT)
            unplug("a")
            unplug("b")


def stock_new(swiftlet, python):
    """OpenDHT 4.x of PyPI, started before and after ours."""
    for order in ("before", "after"):
        plug("a", 1)
        plug("b", 2)
        node = ours("a", swiftlet) if order == "after" else None
        if node:
            node.event("listening")
        stock = Program("b", python, "-c", STOCK)
        if not check(f"OpenDHT 4.x starts {order} ours", stock.find(r"^node \w+")):
            print("\n".join(stock.lines[-5:]))
            return
        node = node or ours("a", swiftlet)
        for family in ("IPv4", "IPv6"):
            connected(node, family, f"OpenDHT 4.x started {order} ours: found over {family}")
        since = stock.say(f"put lan-{order} from-stock")
        check(f"OpenDHT 4.x {order} puts", stock.find("put True", since))
        get = Program("a", swiftlet, "dht", "get", f"lan-{order}", "--json", "--bootstrap", "none")
        check("ours gets it", get.event("value"))
        check("ours ends well", node.end() == 0)
        # Its own end may take minutes while it discovers.
        stock.process.kill()
        stock.process.wait()
        unplug("a")
        unplug("b")


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: test-lan.py SWIFTLET [PYTHON]")
    try:
        space("hub")
        for name in "abc":
            space(name)
        ip("-n", f"{PREFIX}-hub", "link", "add", "bridge", "type", "bridge", "mcast_snooping", "0")
        ip("-n", f"{PREFIX}-hub", "link", "set", "bridge", "up")
        swiftlets(sys.argv[1])
        stock_old(sys.argv[1])
        if len(sys.argv) == 3:
            stock_new(sys.argv[1], sys.argv[2])
    finally:
        end_all()
        for name in spaces:
            subprocess.run(["ip", "netns", "delete", name], check=False)
    print(f"test-lan: {results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if results and all(results) else 1)


main()
