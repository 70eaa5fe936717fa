#!/usr/bin/env python3
"""Nodes of OpenDHT's Python binding in one process, driven by JSON lines: one object in, any number of events out.

In: {"tag", "verb", "node", ...}. Out: {"tag", "event": "value" with "text" and "signed", or "done" with "good", ...}.
"""
import json
import os
import sys
import threading

import opendht

nodes = {}
identities = {}
listens = []


# Every node calls from a thread of its own, and a pipe takes what is longer than a page in pieces.
telling = threading.Lock()


def tell(tag, event, **facts):
    line = json.dumps({"tag": tag, "event": event, **facts}) + "\n"
    with telling:
        sys.stdout.write(line)
        sys.stdout.flush()


def start(tag, node, port, bootstrap, identity):
    runner = opendht.DhtRunner()
    # The binding frees an identity that nobody holds.
    identities[node] = opendht.Identity.generate(node) if identity else opendht.Identity()
    configuration = opendht.DhtConfig()
    # All nodes have one address here.
    configuration.setRateLimit(-1, -1)
    if identity:
        configuration.setIdentity(identities[node])
    runner.run(port=port, ipv4="127.0.0.1", config=configuration)
    if bootstrap:
        runner.bootstrap("127.0.0.1", str(bootstrap))
    nodes[node] = runner
    tell(tag, "done", good=True, id=runner.getId().toString().decode() if identity else "",
         long_id=runner.getPublicKey().getLongId().toString().decode() if identity else "")


def put(tag, node, key, text, kind, reader=""):
    value = opendht.Value(text.encode())
    value.user_type = "text/plain"
    place = opendht.InfoHash(key.encode())

    def ended(good, _):
        tell(tag, "done", good=bool(good))
    if kind == "signed":
        nodes[node].putSigned(place, value, ended)
    elif kind == "encrypted":
        nodes[node].putEncrypted(place, value, opendht.PkId(reader.encode()), ended)
    else:
        nodes[node].put(place, value, ended, permanent=kind == "permanent")


def is_signed(value):
    try:
        return bool(value.owner.getId().toString().strip(b"0"))
    except Exception:
        # The binding cannot name the owner of a value that has none.
        return False


def report(tag):
    def value(value, expired=False):
        if not expired:
            tell(tag, "value", text=value.data.decode(errors="replace"), signed=is_signed(value))
        return True
    return value


def get(tag, node, key):
    nodes[node].get(opendht.InfoHash(key.encode()), report(tag), lambda good, _: tell(tag, "done", good=bool(good)))


def listen(tag, node, key):
    listens.append(nodes[node].listen(opendht.InfoHash(key.encode()), report(tag)))
    tell(tag, "done", good=True)


def kill(tag, node):
    nodes.pop(node).join()
    tell(tag, "done", good=True)


verbs = {"start": start, "put": put, "get": get, "listen": listen, "kill": kill}
for line in sys.stdin:
    order = json.loads(line)
    try:
        verbs[order.pop("verb")](**order)
    except Exception as error:
        tell(order.get("tag"), "done", good=False, error=repr(error))
os._exit(0)
