#!/usr/bin/env python3
"""Real calls, with sound, between two nodes behind NATs of every kind; the DHT is on the public side.

Usage: calls.py SWIFTLET [--calls "NAME NAME"] [--keep FOLDER]

Each call must connect the best way theory allows: directly, or over a relay, and both sides must hear what the other one
said. Where no server is named there is none but two nodes of the DHT.
"""

import argparse
import array
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import wave
from dataclasses import dataclass

import cells
import lab

DHT = [f"{address}:4222" for address in lab.SERVER]
# The amplitude above which a tenth of a second counts as spoken in; pauses lie below 250.
VOICE = 300
SOUNDS = ["/usr/share/sounds/alsa/Front_Left.wav", "/usr/share/sounds/alsa/Rear_Center.wav"]
MOVED_TIMES = 6  # how often a voice says its words while its side moves
PATIENCE = 40.0  # seconds for anything to happen; only ever passes when something is broken
TURN = ["--turn", "turn:user:pass@20.0.0.10"]
STUN = ["--stun", "20.0.0.10"]


@dataclass(frozen=True)
class Call:
    """One network, the servers both nodes are told of, and how the sound must travel."""

    name: str
    topology: str
    options: tuple = ()
    expected: str = cells.DIRECT
    outlook: str = ""  # what netcheck is to say where the caller is; not asked where empty
    moves: bool = False  # the caller gets another address while both talk

    @property
    def needs_coturn(self):
        return bool(self.options)


CALLS = [
    Call("without-server", "portrestricted+portrestricted", outlook="direct"),
    Call("home-routers", "linux+linux"),
    Call("one-lan", "portrestricted+same"),
    Call("mapped-port", "symmetric/igd+portrestricted", outlook="open"),
    Call("stun", "portrestricted+restricted", tuple(STUN)),
    Call("relay", "symmetric+symmetric", tuple(TURN), cells.RELAY, outlook="restricted"),
    Call("relay-only", "portrestricted+portrestricted", (*TURN, "--relay-only"), cells.RELAY),
    Call("moved", "linux+public", moves=True),
    Call("moved-home", "linux+portrestricted", moves=True),
]


class Failed(Exception):
    """What a call lacks, for people."""


class Node:
    """A running swiftlet that prints events."""

    def __init__(self, built, host, words, output):
        self.path = output
        with open(output + ".out", "wb") as out, open(output + ".err", "wb") as err:
            self.process = built.start(host, [*words, "--json"], stdout=out, stderr=err)

    def events(self):
        with open(self.path + ".out", encoding="utf-8") as file:
            text = file.read()
        return [json.loads(line) for line in text.split("\n")[:-1] if line]

    def find(self, name):
        return [event for event in self.events() if event["event"] == name]

    def wait_for(self, name):
        limit = time.monotonic() + PATIENCE
        while not self.find(name):
            if self.process.poll() is not None and not self.find(name):
                raise Failed(f"{os.path.basename(self.path)} ended without {name}")
            if time.monotonic() > limit:
                raise Failed(f"{os.path.basename(self.path)}: no {name}")
            time.sleep(0.02)
        return self.find(name)[0]

    def finish(self, interrupting=False):
        if interrupting:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failed(f"{os.path.basename(self.path)} does not end") from None


def create_accounts(swiftlet, folder):
    """Two accounts for all calls; returns the id of b."""
    processes = [
        subprocess.Popen([swiftlet, "account", "create", "--state", os.path.join(folder, side), "--json"],
                         stdout=subprocess.PIPE, text=True)
        for side in "ab"]
    outputs = [process.communicate()[0] for process in processes]
    return json.loads(outputs[1].splitlines()[0])["account"]


def place(call, swiftlet, callee, folder):
    """Makes one call; returns the way of the sound and times in milliseconds."""
    sides = lab.read_topology(call.topology)
    with lab.Lab(*sides, turn=call.needs_coturn) as built:
        log = lambda name: os.path.join(folder, f"{call.name}-{name}")
        for number, address in enumerate(lab.SERVER):
            entry = DHT[0] if number else "none"
            node = Node(built, "server", [
                swiftlet, "dht", "node", "--bootstrap", entry, "--bind", address, "--port", "4222", "--no-discovery",
                "--no-interactive"], log(f"dht{number}"))
            node.wait_for("listening")
        shared = ["--no-discovery", *(word for entry in DHT for word in ("--bootstrap", entry)), *call.options]
        state = lambda side: ["--state", os.path.join(folder, side)]
        heard = {side: log(f"{side}.wav") for side in "ab"}
        spoken = {side: log(f"{side}-says.wav") for side in "ab"}
        for side, sound in zip("ab", SOUNDS):
            repeat(sound, MOVED_TIMES if call.moves else 1, spoken[side])
        listener = Node(built, "b", [
            swiftlet, "listen", *state("b"), *shared, "--answer", "auto", "--play", spoken["b"], "--record", heard["b"]],
            log("b"))
        listener.wait_for("announced")
        caller = Node(built, "a", [
            swiftlet, "call", callee, *state("a"), *shared, "--duration",
            "12" if call.moves else "2.5", "--play", spoken["a"], "--record", heard["a"]], log("a"))
        caller.wait_for("media-connected")
        if call.moves:
            time.sleep(1.5)
            built.move("a")
        if caller.finish() != 0:
            raise Failed("the call failed")
        # A side that was not told would go on until it takes the other one for dead.
        limit = time.monotonic() + 5
        reason = listener.wait_for("ended")["reason"]
        if reason != "remote-hung-up" or time.monotonic() > limit:
            raise Failed(f"b's call ended by {reason}")
        listener.finish(interrupting=True)
        for side, sound in (("b", spoken["a"]), ("a", spoken["b"])):
            voice, wanted = voiced_tenths(heard[side]), voiced_tenths(sound)
            if voice < wanted * (1 / 2 if call.moves else 3 / 4):
                raise Failed(f"{side} heard {voice / 10} s of a voice that speaks for {wanted / 10} s")
        if call.outlook:
            check_outlook(call, built, [swiftlet, "netcheck", "--json", *shared])
        return describe(caller, listener)


def repeat(sound, times, path):
    """Writes a sound that says the same several times."""
    with wave.open(sound) as source, wave.open(path, "wb") as file:
        file.setparams(source.getparams())
        frames = source.readframes(source.getnframes())
        for _ in range(times):
            file.writeframes(frames)


def voiced_tenths(path):
    """How many tenths of a second of a recording hold a voice.

    Likeness is judged where the network is even (`swiftlet compare`); here pauses may grow while both ends are busy.
    """
    with wave.open(path) as file:
        samples = array.array("h", file.readframes(file.getnframes()))[::file.getnchannels()]
        length = file.getframerate() // 10
    loudness = (sum(s * s for s in samples[i:i + length]) / length for i in range(0, len(samples) - length, length))
    return sum(power > VOICE ** 2 for power in loudness)


def check_outlook(call, built, words):
    text = built.output("a", ["timeout", str(PATIENCE), *words])
    events = {event["event"]: event for event in map(json.loads, text.splitlines())}
    if events["outlook"]["calls"] != call.outlook:
        raise Failed(f"netcheck says {events['outlook']['calls']} instead of {call.outlook}: {text}")
    if "--turn" in call.options and not (events["relay"]["usable"] and events["relay"]["roundTripMs"] > 0):
        raise Failed(f"netcheck has no relay, or did not measure it: {text}")


def describe(caller, listener):
    at = {name: caller.find(name)[0]["t"] for name in ("dialing", "ringing", "answered", "media-connected", "first-audio")}
    media = [node.find("media-connected") for node in (caller, listener)]
    servers = {*(f"{address}:" for address in lab.SERVER), f"[{lab.SERVER6}]:"}
    over_relay = lambda event: any(
        event[end].startswith(server) for end in ("rtpLocal", "rtpRemote") for server in servers)
    return {
        "way": cells.RELAY if any(over_relay(events[-1]) for events in media) else cells.DIRECT,
        "control": caller.find("secured")[0]["version"], "ring_ms": round(1000 * (at["ringing"] - at["dialing"])),
        "heard_ms": round(1000 * (at["first-audio"] - at["answered"])),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("swiftlet")
    parser.add_argument("--calls", help="only these, separated by spaces")
    parser.add_argument("--keep", help="leave logs and recordings in this folder")
    options = parser.parse_args()
    swiftlet = os.path.abspath(options.swiftlet)
    chosen = [call for call in CALLS if not options.calls or call.name in options.calls.split()]
    folder = options.keep or tempfile.mkdtemp(prefix="swiftlet-calls-")
    os.makedirs(folder, exist_ok=True)
    failures = 0
    try:
        callee = create_accounts(swiftlet, folder)
        for call in chosen:
            try:
                facts = place(call, swiftlet, callee, folder)
                if facts["way"] != call.expected:
                    raise Failed(f"{facts['way']} instead of {call.expected}")
                print(f"ok    {call.name}: {call.topology}: sound {facts['way']}, control {facts['control']}, rings after "
                      f"{facts['ring_ms']} ms, heard {facts['heard_ms']} ms after the answer", flush=True)
            except (Failed, lab.LabError) as error:
                failures += 1
                print(f"FAIL  {call.name}: {call.topology}: {error}", flush=True)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(chosen) - failures} of {len(chosen)} calls connected as they should")
    return failures > 0


if __name__ == "__main__":
    # An end from outside takes the networks down as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
