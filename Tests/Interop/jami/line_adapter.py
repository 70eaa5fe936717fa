#!/usr/bin/env python3
"""Our node behind a line interface, for programs that measure calls between any two programs.

Reads `dial ID`, `answer`, `hangup` and `quit` from standard input and writes one JSON object a line: `ready` with id
and device, `ringing` with t, and `recording` with the WAV of what was heard and the t of its first sample. Each t is in
seconds since 1970.
"""
import argparse
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("swiftlet", "state", "bootstrap", "mic", "record"):
        parser.add_argument("--" + name, required=True)
    return parser.parse_args()


def tell(**facts):
    print(json.dumps(facts), flush=True)


class Node:
    """`swiftlet listen`, driven by its keyboard."""

    def __init__(self, options):
        self.options = options
        # The node counts seconds of the monotonic clock; people count from 1970.
        self.offset = time.time() - time.monotonic()
        self.account = self.account_facts()
        self.keyboard, terminal = pty.openpty()
        self.process = subprocess.Popen(
            [options.swiftlet, "listen", "--json", "--state", options.state, "--bootstrap", options.bootstrap,
             "--play", options.mic, "--record", options.record],
            stdin=terminal, stdout=subprocess.PIPE, text=True)
        os.close(terminal)
        threading.Thread(target=self.follow, daemon=True).start()

    def account_facts(self):
        show = [self.options.swiftlet, "account", "show", "--json", "--state", self.options.state]
        shown = subprocess.run(show, capture_output=True, text=True)
        if shown.returncode != 0:
            show[2] = "create"
            shown = subprocess.run(show, capture_output=True, text=True, check=True)
        return json.loads(shown.stdout.splitlines()[-1])

    def follow(self):
        began = None
        for line in self.process.stdout:
            event = json.loads(line)
            at = event["t"] + self.offset
            if event["event"] == "announced":
                tell(event="ready", id=self.account["account"], device=self.account["device"])
            elif event["event"] == "incoming-call":
                tell(event="ringing", t=at)
            elif event["event"] == "media-connected":
                began = at
            elif event["event"] == "ended" and began:
                tell(event="recording", wav=self.options.record, t=began)
                began = None

    def type(self, text):
        os.write(self.keyboard, (text + "\n").encode())

    def close(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=10)


def main():
    node = Node(parse())
    for line in sys.stdin:
        words = line.split()
        if words[:1] == ["dial"]:
            node.type("c " + words[1])
        elif words == ["answer"]:
            node.type("a")
        elif words == ["hangup"]:
            node.type("h")
        elif words == ["quit"]:
            break
    return node.close()


if __name__ == "__main__":
    sys.exit(main())
