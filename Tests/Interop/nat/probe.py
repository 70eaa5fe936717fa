#!/usr/bin/env python3
"""Looks at a NAT with plain sockets, so that the lab is believed for what it does and not for what it says.

`probe.py serve` runs on the server; `probe.py look` behind a NAT prints what it found as one JSON object. The protocol: a
datagram `WHERE` asks to be told the sender's address; WHERE is `here`, `port` (answer from the other port) or `address` (from
the other address and port). Over TCP the server writes the address of who connects.
"""

import json
import select
import socket
import sys

ADDRESSES = ("20.0.0.10", "20.0.0.11")
PORTS = (3480, 3481)
PATIENCE = 0.5


def serve():
    sockets = {}
    for address in ADDRESSES:
        for port in PORTS:
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.bind((address, port))
            sockets[address, port] = one
    listeners = []
    # Of port 443 the first address is the relay's.
    for place in [(address, port) for address in ADDRESSES for port in PORTS] + [(ADDRESSES[1], 443)]:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(place)
        except OSError:
            continue
        listener.listen()
        listeners.append(listener)
    print("ready", flush=True)
    while True:
        for ready in select.select([*sockets.values(), *listeners], [], [])[0]:
            if ready in listeners:
                connection, peer = ready.accept()
                connection.sendall(f"{peer[0]} {peer[1]}\n".encode())
                connection.close()
                continue
            words, peer = ready.recvfrom(2048)
            address, port = ready.getsockname()
            other = (sum(PORTS) - port)
            if words == b"address":
                address = ADDRESSES[1 - ADDRESSES.index(address)]
            if words != b"here":
                port = other
            sockets[address, port].sendto(f"{peer[0]} {peer[1]}".encode(), peer)


def ask(one, place, where=b"here"):
    """The address the server saw, or `None` when no answer came in."""
    for _ in range(3):
        one.sendto(where, place)
        if select.select([one], [], [], PATIENCE)[0]:
            address, port = one.recv(2048).split()
            return address.decode(), int(port)
    return None


def datagram_socket():
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((own_address(), 0))
    return one


def own_address():
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.connect((ADDRESSES[0], 9))
    return one.getsockname()[0]


def dependence(seen):
    """What mappings seen from the same address, then another port, then another address say."""
    if seen[0] == seen[1] == seen[2]:
        return "endpoint-independent"
    return "address-dependent" if seen[0] == seen[1] else "address-and-port-dependent"


def mapping():
    one = datagram_socket()
    places = [(ADDRESSES[0], PORTS[0]), (ADDRESSES[0], PORTS[1]), (ADDRESSES[1], PORTS[0])]
    seen = [ask(one, place) for place in places]
    if None in seen:
        return {"udp": False}
    steps = [seen[1][1] - seen[0][1], seen[2][1] - seen[1][1]]
    return {
        "udp": True, "nat": seen[0][0] != one.getsockname()[0], "mapping": dependence(seen),
        "preserved": seen[0][1] == one.getsockname()[1], "sequential": steps == [1, 1],
    }


def filtering():
    one = datagram_socket()
    if ask(one, (ADDRESSES[0], PORTS[0]), b"address"):
        return "endpoint-independent"
    return "address-dependent" if ask(one, (ADDRESSES[0], PORTS[0]), b"port") else "address-and-port-dependent"


def hairpin():
    one, other = datagram_socket(), datagram_socket()
    mapped = ask(one, (ADDRESSES[0], PORTS[0]))
    # The other side makes itself known first, as a check of both sides would.
    back = ask(other, (ADDRESSES[0], PORTS[0]))
    one.sendto(b"open", back)
    other.sendto(b"hairpin", mapped)
    while select.select([one], [], [], PATIENCE)[0]:
        if one.recv(2048) == b"hairpin":
            return True
    return False


def connects(place):
    try:
        with socket.create_connection(place, 1) as connection:
            return bool(connection.recv(100))
    except OSError:
        return False


def look():
    found = mapping()
    if found["udp"]:
        found |= {"filtering": filtering(), "hairpin": hairpin()}
    found["tcp443"] = connects((ADDRESSES[1], 443))
    found["tcp"] = connects((ADDRESSES[0], PORTS[0]))
    print(json.dumps(found))


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else look()
