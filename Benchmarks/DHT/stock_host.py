#!/usr/bin/env python3
"""Many nodes of OpenDHT's Python binding in one process, obeying the lines of Host/Order.swift."""
import os
import sys
import time

import opendht


class Host:
    def __init__(self):
        self.nodes = {}
        self.listens = []

    def answer(self, start, *words):
        line = " ".join(words) + f" {int((time.monotonic() - start) * 1e6)}\n"
        os.write(1, line.encode())

    def reporter(self, start, tag):
        def report(value, expired=False):
            if not expired:
                self.answer(start, "value", tag, value.data.hex())
            return True
        return report

    def ender(self, start, tag):
        return lambda is_good, _: self.answer(start, "done", tag, str(int(is_good)))

    def nop(self, start, tag):
        self.answer(start, "done", tag, "1")

    def node(self, start, tag, name, port, bootstrap, identifier, is_limited):
        configuration = opendht.DhtConfig()
        configuration.setNodeId(opendht.InfoHash(identifier.encode()))
        if is_limited == "0":
            configuration.setRateLimit(-1, -1)
        node = self.nodes[name] = opendht.DhtRunner()
        node.run(port=int(port), ipv4="127.0.0.1", config=configuration)
        if bootstrap != "0":
            node.bootstrap("127.0.0.1", bootstrap)
        self.answer(start, "done", tag, "1")

    def put(self, start, tag, name, key, data):
        value = opendht.Value(bytes.fromhex(data))
        self.nodes[name].put(opendht.InfoHash(key.encode()), value, self.ender(start, tag))

    def get(self, start, tag, name, key):
        self.nodes[name].get(opendht.InfoHash(key.encode()), self.reporter(start, tag), self.ender(start, tag))

    def listen(self, start, tag, name, key):
        self.listens.append(self.nodes[name].listen(opendht.InfoHash(key.encode()), self.reporter(start, tag)))

    def kill(self, start, tag, name):
        self.nodes.pop(name).join()
        self.answer(start, "done", tag, "1")


host = Host()
for line in sys.stdin:
    verb, *words = line.split()
    getattr(host, verb)(time.monotonic(), *words)
os._exit(0)
