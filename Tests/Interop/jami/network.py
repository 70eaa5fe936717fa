"""Network namespaces around one switch, and the stock DHT node everybody enters by."""
import os
import subprocess

from programs import Program


def run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)


class Network:
    """A switch in a namespace of its own, with a DHT node; hosts are plugged into it.

    IPv4 only: where IPv6 is on, the daemon's ICE waits for ever on newer kernels.
    """

    PORT = 4222

    def __init__(self, world, folder):
        self.world = world
        self.folder = folder
        self.prefix = f"swj{os.getpid()}"
        self.spaces = []
        self.hosts = 0
        self.dht = None

    def start(self):
        hub = self._space("hub")
        run("ip", "-n", hub, "link", "add", "switch", "type", "bridge")
        run("ip", "-n", hub, "addr", "add", "192.0.2.1/24", "dev", "switch")
        run("ip", "-n", hub, "link", "set", "switch", "up")
        self.dht = Program("dhtnode", ["dhtnode", "-s", "-v", "-p", self.PORT], self.folder, space=hub)
        self.world.until(lambda: "initialised" in self.dht.last_lines(50), 15, "the DHT node did not start")

    @property
    def entry(self):
        return f"192.0.2.1:{self.PORT}"

    def host(self, name):
        """A namespace with one address on the switch; returns its name."""
        space = self._space(name)
        self.hosts += 1
        number = self.hosts
        hub = self.spaces[0]
        run("ip", "-n", hub, "link", "add", f"to{number}", "type", "veth", "peer", "name", "eth0", "netns", space)
        run("ip", "-n", hub, "link", "set", f"to{number}", "master", "switch", "up")
        run("ip", "-n", space, "addr", "add", f"192.0.2.{number + 1}/24", "dev", "eth0")
        run("ip", "-n", space, "link", "set", "eth0", "up")
        run("ip", "-n", space, "route", "add", "default", "via", "192.0.2.1")
        return space

    def remove(self, space):
        """Takes a host away whose programs have ended."""
        run("ip", "netns", "delete", space)
        self.spaces.remove(space)

    def _space(self, name):
        space = f"{self.prefix}-{name}"
        run("ip", "netns", "add", space)
        self.spaces.append(space)
        for scope in ("all", "default"):
            run("ip", "netns", "exec", space, "sh", "-c", f"echo 1 >/proc/sys/net/ipv6/conf/{scope}/disable_ipv6")
        run("ip", "-n", space, "link", "set", "lo", "up")
        return space

    def close(self):
        if self.dht:
            self.dht.stop()
        for space in reversed(self.spaces):
            subprocess.run(["ip", "netns", "delete", space], capture_output=True)
        self.spaces = []
