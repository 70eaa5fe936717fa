#!/usr/bin/env python3
"""A slow and lossy line between two network interfaces, for kernels without netem.

Usage: line.py LEFT RIGHT DELAY_MS JITTER_MS LOSS_PERCENT SEED. Makes the TAP devices LEFT and RIGHT, which the caller moves to
where they belong, prints one line once they exist, and carries frames between them until its input ends. Delay is one way.
Jitter is uniform and may reorder frames.
"""

import fcntl
import heapq
import os
import random
import selectors
import struct
import sys
import time

TUNSETIFF = 0x400454CA
TAP_WITHOUT_HEADER = 0x0002 | 0x1000
QUEUE_LIMIT = 10_000


def tap(name):
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), TAP_WITHOUT_HEADER))
    return descriptor


def main():
    left, right = tap(sys.argv[1]), tap(sys.argv[2])
    delay, jitter, loss = float(sys.argv[3]) / 1000, float(sys.argv[4]) / 1000, float(sys.argv[5]) / 100
    chance = random.Random(int(sys.argv[6]))
    other = {left: right, right: left}
    waiting, count = [], 0
    selector = selectors.DefaultSelector()
    for descriptor in (left, right, 0):
        selector.register(descriptor, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        patience = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for key, _ in selector.select(patience):
            if key.fd == 0:
                if not os.read(0, 4096):
                    return
                continue
            for _ in range(64):
                try:
                    frame = os.read(key.fd, 65536)
                except BlockingIOError:
                    break
                except OSError:
                    break  # The interface is down.
                # Losing neighbour discovery would make the line fail for seconds, which no real line does.
                kind = frame[12:14]
                if kind != b"\x08\x06" and chance.random() < loss or len(waiting) >= QUEUE_LIMIT:
                    continue
                count += 1
                due = time.monotonic() + delay + (chance.uniform(-jitter, jitter) if jitter else 0)
                heapq.heappush(waiting, (due, count, other[key.fd], frame))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, descriptor, frame = heapq.heappop(waiting)
            try:
                os.write(descriptor, frame)
            except OSError:
                pass


if __name__ == "__main__":
    main()
