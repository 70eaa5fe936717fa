#!/usr/bin/env python3
"""Hosts aioice connections under the commands of Host.swift, so that both can be measured and tried alike.

    aioice_host.py [--stun ADDRESS:PORT] [--turn ADDRESS:PORT] [--relay-only]

User and password of the TURN server are `user` and `pass`. It knows one command more:

    publish TAG A NAME ADDRESS       done TAG 1; answers questions of multicast DNS about the name
"""

import argparse
import asyncio
import json
import os
import sys
import time

import aioice
import aioice.mdns

HEARD_LIMIT = 64


class Host:
    def __init__(self, options):
        self.connections, self.received, self.heard, self.tasks = {}, {}, {}, set()
        self.names = None
        self.options = {"stun_server": options.stun, "turn_server": options.turn}
        if options.turn:
            self.options |= {"turn_username": "user", "turn_password": "pass"}
        if options.relay_only:
            self.options["transport_policy"] = aioice.TransportPolicy.RELAY

    def say(self, *words):
        os.write(1, (" ".join(map(str, words)) + "\n").encode())

    async def obey(self, since, verb, tag, name="", *words):
        passed = lambda: int((time.monotonic() - since) * 1e6)
        if verb == "open":
            connection = aioice.Connection(
                ice_controlling=words[0] == "controlling", use_ipv6=False, **self.options)
            self.connections[name] = connection
            await connection.gather_candidates()
            description = {
                "ufrag": connection.local_username, "pwd": connection.local_password,
                "candidates": [candidate.to_sdp() for candidate in connection.local_candidates],
            }
            self.say("value", tag, json.dumps(description).encode().hex())
            self.say("done", tag, 1, passed())
        elif verb == "remote":
            connection, remote = self.connections[name], json.loads(bytes.fromhex(words[0]))
            connection.remote_username, connection.remote_password = remote["ufrag"], remote["pwd"]
            for line in remote["candidates"]:
                await connection.add_remote_candidate(aioice.Candidate.from_sdp(line))
            await connection.add_remote_candidate(None)
            try:
                await connection.connect()
            except ConnectionError:
                return self.say("done", tag, 0, passed())
            self.received[name] = 0
            self.keep(self.listen(name))
            self.say("done", tag, 1, passed())
        elif verb == "publish":
            self.names = self.names or await aioice.mdns.create_mdns_protocol()
            await self.names.publish(words[0], words[1])
            self.say("done", tag, 1)
        elif verb == "pair":
            pair = self.connections[name]._nominated.get(1)
            if pair:
                self.say("value", tag, f"{pair.local_candidate.type}/{pair.remote_candidate.type}/udp")
            self.say("done", tag, int(pair is not None))
        elif verb == "send":
            await self.connections[name].send(bytes.fromhex(words[0]))
            self.say("done", tag, 1)
        elif verb == "heard":
            heard = self.heard.get(name, [])
            if heard:
                self.say("value", tag, ",".join(datagram.hex() for datagram in heard))
            self.say("done", tag, len(heard))
            self.heard[name] = []
        elif verb == "blast":
            size, seconds, burst = int(words[0]), float(words[1]), int(words[2])
            content, sent = b"x" * size, 0
            while time.monotonic() < since + seconds:
                for _ in range(burst):
                    await self.connections[name].send(content)
                sent += burst
                await asyncio.sleep(0)
            self.say("done", tag, sent)
        elif verb == "count":
            self.say("done", tag, self.received.get(name, 0))
            self.received[name] = 0
        elif verb == "close":
            await self.connections.pop(name).close()
            self.say("done", tag, 1)
        else:
            self.say("done", tag, 1)

    async def listen(self, name):
        try:
            while True:
                datagram = await self.connections[name].recv()
                self.received[name] += 1
                if name in self.heard and len(self.heard[name]) < HEARD_LIMIT:
                    self.heard[name].append(datagram)
        except (ConnectionError, KeyError):
            pass

    def keep(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def serve(self):
        rest = [b""]
        os.set_blocking(0, False)

        def read():
            piece = os.read(0, 1 << 18)
            if not piece:
                os._exit(0)
            *lines, rest[0] = (rest[0] + piece).split(b"\n")
            for line in lines:
                self.keep(self.obey(time.monotonic(), *line.decode().split()))

        asyncio.get_running_loop().add_reader(0, read)
        await asyncio.Event().wait()


def server(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--stun", type=server)
    parser.add_argument("--turn", type=server)
    parser.add_argument("--relay-only", action="store_true")
    asyncio.run(Host(parser.parse_args()).serve())


if __name__ == "__main__":
    sys.exit(main())
