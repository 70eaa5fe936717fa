#!/usr/bin/env python3
"""Checks that swiftlet and stock OpenDHT are one network: gets, puts and listens in both directions.

usage: interop-opendht.py SWIFTLET

Starts `swiftlet dht node` and Debian's `dhtnode` on the loopback interface, prints one line for each check and a
summary, and exits with 1 when a check failed. Every wait ends with the line it waits for, or fails after WAIT seconds.
"""
import pathlib
import secrets
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Tests/Interop/opendht"))
from programs import WAIT, Lines, end_all

results = []


class Swiftlet(Lines):
    """A swiftlet command with --json."""

    def __init__(self, swiftlet, *arguments):
        super().__init__([swiftlet, "dht", *arguments, "--json", "--bind", "127.0.0.1"])


def check(name, passed):
    results.append(bool(passed))
    print(("ok    " if passed else "FAIL  ") + name, flush=True)


def key():
    return secrets.token_hex(20)


def run(swiftlet):
    node = Swiftlet(swiftlet, "node", "--bootstrap", "none")
    listening = node.event("listening")
    if not listening:
        return check("swiftlet's node starts", False)
    ours = f"127.0.0.1:{listening['port']}"
    stock = Lines(["dhtnode", "-i", "-p", "0", "-b", ours])
    port = stock.find(r"running on port (\d+)")
    if not port:
        return check("stock dhtnode starts", False)
    theirs = f"127.0.0.1:{port.group(1)}"
    check("swiftlet's node hears stock's", node.event("network", family="IPv4", connected=True))

    place = key()
    since = stock.say(f"p {place} from-stock")
    check("stock puts", stock.find(r"Put: success", since))
    for entry, name in ((ours, "its own node"), (theirs, "stock's node")):
        get = Swiftlet(swiftlet, "get", place, "--bootstrap", entry)
        check(f"swiftlet, entering through {name}, gets what stock put", get.event("value", text="from-stock"))
        check(f"swiftlet's get through {name} ends well", get.event("finished") and get.process.wait(WAIT) == 0)

    place = key()
    stock.say(f"p {place} longer-than-what-is-asked-for")
    stored = Swiftlet(swiftlet, "get", place, "--bootstrap", theirs).event("value")
    query = Swiftlet(swiftlet, "get", place, "--select", "id", "--select", "type", "--where", f"id={stored['id']}",
                     "--bootstrap", theirs) if stored else None
    row = query.event("value", id=stored["id"]) if query else None
    check("stock tells fields of a value", row and row["type"] == 0 and "data" not in row)

    place = key()
    put = Swiftlet(swiftlet, "put", place, "from-swiftlet", "--bootstrap", theirs)
    check("swiftlet puts", put.event("finished") and put.process.wait(WAIT) == 0)
    since = stock.say(f"g {place}")
    check("stock gets what swiftlet put", stock.find('"from-swiftlet"', since))

    place = key()
    since = stock.say(f"l {place}")
    check("stock listens", stock.find("Listening, token", since))
    put = Swiftlet(swiftlet, "put", place, "pushed-to-stock", "--bootstrap", ours)
    check("stock is told what swiftlet put while it listened", stock.find('"pushed-to-stock"', since))

    place = key()
    listen = Swiftlet(swiftlet, "listen", place, "--bootstrap", ours)
    listen.event("listening")
    stock.say(f"p {place} before")
    check("swiftlet's listen finds what stock puts", listen.event("value", text="before"))
    stock.say(f"p {place} pushed")
    check("swiftlet is told what stock put while it listened", listen.event("value", text="pushed"))
    check("swiftlet's listen ends well", listen.end() == 0)

    place = key()
    since = stock.say(f"pp {place} kept-by-stock")
    check("stock puts permanently", stock.find(r"Put: success", since))
    get = Swiftlet(swiftlet, "get", place, "--bootstrap", ours)
    check("swiftlet gets what stock keeps", get.event("value", text="kept-by-stock"))

    place = key()
    keep = Swiftlet(swiftlet, "put", place, "kept-by-swiftlet", "--permanent", "--bootstrap", ours)
    keep.event("listening")
    since = stock.say(f"l {place}")
    check("stock is told what swiftlet keeps", stock.find('"kept-by-swiftlet"', since))
    check("swiftlet's permanent put ends well", keep.end() == 0)

    place = key()
    since = stock.say(f"s {place} signed-by-stock")
    get = None
    if stock.find(r"Put signed: success", since):
        get = Swiftlet(swiftlet, "get", place, "--bootstrap", ours)
    check("swiftlet gets and verifies what stock signed",
          get and get.event("value", text="signed-by-stock", kind="signed"))

    check("swiftlet's node ends well", node.end() == 0)
    stock.say("x")
    check("stock's node ends well", stock.process.wait(WAIT) == 0)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: interop-opendht.py SWIFTLET")
    try:
        run(sys.argv[1])
    finally:
        end_all()
    print(f"interop-opendht: {results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if results and all(results) else 1)


main()
