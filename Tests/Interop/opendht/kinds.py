"""The three kinds of nodes, each with the same few methods: put, get, listen, kill."""
import collections
import json
import re
import threading
import time

from programs import WAIT, Lines


class Release2(Lines):
    """Debian's dhtnode, at its prompt."""
    kind = "2.4"

    def __init__(self, bootstrap, identity):
        super().__init__(["dhtnode", "-p", "0"] + (["-i"] if identity else [])
                         + (["-b", f"127.0.0.1:{bootstrap}"] if bootstrap else []))
        self.putting = threading.Lock()

    def settle(self):
        found = self.find(r"running on port (\d+)")
        self.port = int(found.group(1))
        found = self.find(r"Public key ID ([0-9a-f]{40})", patience=0.3)
        self.ids = (found.group(1) if found else "", "")

    def put(self, key, text, kind, reader=""):
        word = {"plain": "p", "permanent": "pp", "signed": "s", "encrypted": "e"}[kind]
        # Which put succeeded is not said: one at a time.
        with self.putting:
            since = self.say(" ".join(filter(None, [word, key, reader, text])))
            ended = self.find("Put[ a-z]*: (success|failure)", since)
        return lambda: ended and ended.group(1) == "success"

    def watch(self, word, key, text, signed):
        since = self.say(f"{word} {key}")
        if word == "l":
            self.find("Listening, token", since)
        pattern = re.escape('"' + text + '"')
        return lambda patience=WAIT: self.find(pattern, since, patience)

    def get(self, key, text, signed=False):
        return self.watch("g", key, text, signed)

    def listen(self, key, text, signed=False):
        return self.watch("l", key, text, signed)


class Ours(Lines):
    """`swiftlet dht node`, at its prompt."""
    kind = "ours"

    def __init__(self, swiftlet, bootstrap, identity):
        super().__init__(
            [swiftlet, "dht", "node", "--interactive", "--json", "--no-discovery", "--bind", "127.0.0.1",
             "--bootstrap", f"127.0.0.1:{bootstrap}" if bootstrap else "none"]
            + (["--identity", identity] if identity else []))
        self.lock = threading.Lock()
        self.has_identity = bool(identity)

    def settle(self):
        self.port = self.event("listening")["port"]
        identity = self.event("identity") if self.has_identity else {"id": "", "longID": ""}
        self.ids = (identity["id"], identity["longID"])

    def order(self, line):
        """Types an order; returns the number by which its events go, and where they begin."""
        with self.lock:
            since = self.say(line)
            began = self.event("began", since)
            return began["operation"] if began else None, since

    def put(self, key, text, kind, reader=""):
        word = {"plain": "put", "permanent": "keep", "signed": "sign", "encrypted": "encrypt"}[kind]
        number, since = self.order(" ".join(filter(None, [word, key, reader, text])))
        return lambda: self.event("finished", since, operation=number)

    def watch(self, word, key, text, signed):
        number, since = self.order(f"{word} {key}")
        facts = {"kind": "signed"} if signed else {}
        return lambda patience=WAIT: self.event("value", since, patience, operation=number, text=text, **facts)

    def get(self, key, text, signed=False):
        return self.watch("get", key, text, signed)

    def listen(self, key, text, signed=False):
        watch = self.watch("listen", key, text, signed)
        time.sleep(0.5)
        return watch


class Release4:
    """One of the nodes of python_nodes.py."""
    kind = "4.4"
    tags = collections.Counter()

    def __init__(self, host, name, port, bootstrap, identity):
        self.host, self.name, self.port = host, name, port
        self.started = self.order("start", port=port, bootstrap=bootstrap, identity=bool(identity))

    def settle(self):
        started = self.host.event("done", tag=self.started)
        self.ids = (started["id"], started["long_id"])

    def order(self, verb, **facts):
        with self.host.changed:
            self.tags["last"] += 1
            tag = self.tags["last"]
        self.host.say(json.dumps({"tag": tag, "verb": verb, "node": self.name, **facts}))
        return tag

    def put(self, key, text, kind, reader=""):
        tag = self.order("put", key=key, text=text, kind=kind, reader=reader)
        return lambda: self.host.event("done", tag=tag, good=True)

    def watch(self, verb, key, text, signed):
        tag = self.order(verb, key=key)
        facts = {"signed": True} if signed else {}
        return lambda patience=WAIT: self.host.event("value", 0, patience, tag=tag, text=text, **facts)

    def get(self, key, text, signed=False):
        return self.watch("get", key, text, signed)

    def listen(self, key, text, signed=False):
        watch = self.watch("listen", key, text, signed)
        time.sleep(0.5)
        return watch

    def kill(self):
        self.host.event("done", tag=self.order("kill"), patience=10)
