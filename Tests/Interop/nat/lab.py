"""NAT topologies in network namespaces: two hosts, their routers and carriers, a backbone, and public servers.

    a -- home-a [-- carrier-a] -- net -- [carrier-b --] home-b -- b
                                   |
                                 server

No route leads out of these namespaces; the public-looking numbers exist inside them only. A side is written as
KIND[/flag...][~CARRIER], e.g. `portrestricted/igd`, `linux~symmetric`, `public`; the side `same` puts host b behind the
router of a, and `isolated` does so on a port that cannot speak to a's.

Flags: `hairpin`; `noudp`, `only443`; `reject` (refuse loudly); `dual` (IPv6 too, behind a stateful firewall), `v6only`;
`igd` (miniupnpd: UPnP, NAT-PMP, PCP).
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

import router

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER = ("20.0.0.10", "20.0.0.11")
SERVER6 = "2001:db8:f::10"
FLAGS = {"hairpin", "noudp", "only443", "reject", "dual", "v6only", "igd"}


class LabError(Exception):
    """The machine would not build what was asked for."""


@dataclass(frozen=True)
class Side:
    kind: str
    flags: frozenset = frozenset()
    carrier: str | None = None

    @property
    def is_public(self):
        return self.kind == "public"

    @property
    def shares_router(self):
        return self.kind in ("same", "isolated")

    @staticmethod
    def read(text):
        home, _, carrier = text.partition("~")
        kind, *flags = home.split("/")
        known = set(router.KINDS) | {"public", "same", "isolated"}
        if kind not in known or not FLAGS.issuperset(flags) or (carrier and carrier not in router.KINDS):
            raise LabError(f"no such side: {text}")
        return Side(kind, frozenset(flags), carrier or None)


@dataclass(frozen=True)
class Line:
    """What a side's line to the backbone does to packets, each way."""

    delay_ms: float = 0
    jitter_ms: float = 0
    loss_percent: float = 0
    seed: int = 1

    @property
    def is_perfect(self):
        return not (self.delay_ms or self.jitter_ms or self.loss_percent)


@dataclass
class Lab:
    a: Side
    b: Side
    line: Line = Line()
    turn: bool = True
    overlap: bool = False  # both LANs use the same prefix and the hosts the same address
    name: str = field(default_factory=lambda: f"swn{os.getpid()}")

    def __post_init__(self):
        self.namespaces, self.processes = [], []
        self.folder = None

    # Building

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="swiftlet-nat-")
        try:
            self.build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for process in self.processes:
            if process.stdin:
                process.stdin.close()
            process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for namespace in self.namespaces:
            subprocess.run(["ip", "netns", "delete", namespace], check=False, stderr=subprocess.DEVNULL)
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def build(self):
        for node in ("net", "server", "a", "b"):
            self.add(node, forwards=node == "net")
        self.wire(("net", "to-server"), ("server", "eth0"))
        self.address("net", "to-server", "20.0.0.1/24", "2001:db8:f::1/64")
        self.address("server", "eth0", *(f"{address}/24" for address in SERVER), f"{SERVER6}/64")
        self.route("server", "20.0.0.1", "2001:db8:f::1")
        self.attach("a", self.a, 1)
        if self.b.shares_router:
            self.join_router_of_a()
        else:
            self.attach("b", self.b, 2)
        if self.turn:
            self.start_coturn()

    def attach(self, host, side, number):
        """Connects a host to the backbone through its home router and its carrier, if any."""
        external, gateway = f"20.0.{number}.2", f"20.0.{number}.1"
        inner = f"192.168.{1 if self.overlap else number}"
        six = f"2001:db8:{host}"
        edge = host if side.is_public else f"carrier-{host}" if side.carrier else f"home-{host}"
        if not side.is_public:
            self.add(edge, forwards=True)
        self.wire_line(("net", f"to-{host}"), (edge, "wan"))
        has4, has6 = "v6only" not in side.flags, not side.flags.isdisjoint({"dual", "v6only"})
        self.address("net", f"to-{host}", f"{gateway}/24", *([f"{six}:1::1/64"] if has6 else []))
        self.address(edge, "wan", *([f"{external}/24"] if has4 else []), *([f"{six}:1::2/64"] if has6 else []))
        self.route(edge, gateway if has4 else None, f"{six}:1::1" if has6 else None)
        if side.is_public:
            return
        home = f"home-{host}"
        if side.carrier:
            self.translate(edge, router.KINDS[side.carrier], external, "100.64.0.0/10", set(), set())
            self.add(home, forwards=True)
            self.wire((edge, "lan"), (home, "wan"))
            self.address(edge, "lan", f"100.64.{number}.1/24")
            external = f"100.64.{number}.2"
            self.address(home, "wan", f"{external}/24")
            self.route(home, f"100.64.{number}.1", None)
        self.sh(home, "ip link add lan type bridge && ip link set lan up")
        self.join_lan(host, home, inner, 10 if self.overlap else number * 10, has4, six if has6 else None)
        self.address(home, "lan", *([f"{inner}.1/24"] if has4 else []), *([f"{six}:2::1/64"] if has6 else []))
        if has6:
            self.sh("net", f"ip -6 route add {six}:2::/64 via {six}:1::2")
        self.translate(home, router.KINDS[side.kind], external, f"{inner}.0/24", side.flags, side.flags)
        if "igd" in side.flags:
            self.start_miniupnpd(home, external, f"{inner}.0/24")

    def join_router_of_a(self):
        has4, has6 = "v6only" not in self.a.flags, not self.a.flags.isdisjoint({"dual", "v6only"})
        self.join_lan("b", "home-a", "192.168.1", 20, has4, "2001:db8:a" if has6 else None)
        if self.b.kind == "isolated":
            for port in ("port-a", "port-b"):
                self.sh("home-a", f"ip link set {port} type bridge_slave isolated on")

    def join_lan(self, host, home, inner, number, has4, six):
        self.wire((home, f"port-{host}"), (host, "eth0"))
        self.sh(home, f"ip link set port-{host} master lan up")
        self.address(host, "eth0", *([f"{inner}.{number}/24"] if has4 else []), *([f"{six}:2::{number}/64"] if six else []))
        self.route(host, f"{inner}.1" if has4 else None, f"{six}:2::1" if six else None)

    def move(self, host):
        """Takes the host's address away, and a second later gives it another one of the same network."""
        interface = "wan" if (self.a if host == "a" else self.b).is_public else "eth0"
        shown = json.loads(self.output(host, ["ip", "-j", "-4", "addr", "show", "dev", interface]))
        known = next(info for info in shown[0]["addr_info"] if info["family"] == "inet")
        net, _, number = known["local"].rpartition(".")
        self.batch(host, [f"addr del {known['local']}/{known['prefixlen']} dev {interface}"])
        time.sleep(1)
        self.address(host, interface, f"{net}.{int(number) + 100}/{known['prefixlen']}")
        self.route(host, f"{net}.1", None)

    def translate(self, node, kind, external, inner_net, flags, guard):
        rules = router.translation(kind, external, inner_net, "hairpin" in flags) + router.firewall(guard)
        if "igd" in flags:
            rules += router.port_mapping_tables()
        self.run(node, ["nft", "-f", "-"], rules)

    # Parts

    def add(self, node, forwards=False):
        namespace = self.namespace(node)
        if subprocess.run(["ip", "netns", "add", namespace], check=False).returncode != 0:
            raise LabError(f"no namespace {namespace}")
        self.namespaces.append(namespace)
        settings = ["net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0"]
        if forwards:
            # Where the bridge filters too, translated packets would be bridged and not routed.
            settings += ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.bridge.bridge-nf-call-iptables=0"]
        self.sh(node, f"ip link set lo up && sysctl -eqw {' '.join(settings)}")

    def namespace(self, node):
        return f"{self.name}-{node}"

    def wire(self, left, right):
        ends = [(self.namespace(node), interface) for node, interface in (left, right)]
        self.ip(f"link add {ends[0][1]} netns {ends[0][0]} type veth peer name {ends[1][1]} netns {ends[1][0]}")

    def wire_line(self, left, right):
        """Connects through the side's line."""
        if self.line.is_perfect:
            return self.wire(left, right)
        names = [f"{self.name[-8:]}-{left[1][-1]}{end}" for end in "lr"]
        seed = self.line.seed * 2 + (left[1] == "to-b")
        words = [self.line.delay_ms, self.line.jitter_ms, self.line.loss_percent, seed]
        process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "line.py"), *names, *map(str, words)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.processes.append(process)
        if not process.stdout.readline():
            raise LabError("no line: /dev/net/tun is missing")
        for name, (node, interface) in zip(names, (left, right)):
            self.ip(f"link set {name} netns {self.namespace(node)} name {interface}")

    def address(self, node, interface, *addresses):
        lines = [f"link set {interface} up"]
        for address in addresses:
            lines.append(f"addr add {address} dev {interface}" + (" nodad" if ":" in address else ""))
        self.batch(node, lines)

    def route(self, node, gateway, gateway6):
        lines = [f"route add default via {gateway}"] if gateway else []
        lines += [f"-6 route add default via {gateway6}"] if gateway6 else []
        for line in lines:
            self.sh(node, "ip " + line)

    # Servers

    def start_coturn(self):
        key, certificate = os.path.join(self.folder, "key.pem"), os.path.join(self.folder, "cert.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=turn.lab", "-addext", "subjectAltName=DNS:turn.lab,IP:20.0.0.10", "-keyout", key, "-out",
             certificate], check=True, stderr=subprocess.DEVNULL)
        listening = [word for address in (*SERVER, SERVER6) for word in ("-L", address, "-E", address)]
        self.start("server", [
            "turnserver", "-n", "--log-file", os.path.join(self.folder, "coturn.log"), "--simple-log", *listening,
            "-a", "-u", "user:pass", "-r", "lab", "--no-cli", "--cert", certificate, "--pkey", key,
            "--tls-listening-port", "443", "--alt-tls-listening-port", "5349", "--no-dtls", "-m", "1",
            "--pidfile", os.path.join(self.folder, "coturn.pid"), "--allow-loopback-peers",
            "--userdb", os.path.join(self.folder, "coturn.db")])
        self.await_port("server", 3478)

    def start_miniupnpd(self, home, external, inner_net):
        configuration = os.path.join(self.folder, f"{home}.conf")
        with open(configuration, "w", encoding="ascii") as file:
            file.write(f"""ext_ifname=wan
listening_ip=lan
enable_natpmp=yes
enable_upnp=yes
secure_mode=no
system_uptime=yes
notify_interval=60
uuid=6a1f0c2e-0000-4000-8000-0000000000{ord(home[-1]):02x}
min_lifetime=60
max_lifetime=86400
upnp_table_name=guard
upnp_nat_table_name=mapped
upnp_forward_chain=mappings
upnp_nat_chain=forwards
upnp_nat_postrouting_chain=sources
lease_file={self.folder}/{home}.leases
allow 1024-65535 0.0.0.0/0 1024-65535
""")
        self.start(home, ["miniupnpd", "-d", "-f", configuration, "-P", os.path.join(self.folder, f"{home}.pid")])
        # PCP and NAT-PMP, then UPnP.
        self.await_port(home, 5351)
        self.await_port(home, 1900)

    def await_port(self, node, port):
        limit = time.monotonic() + 10
        while f":{port} " not in self.output(node, ["ss", "-lun"]):
            if time.monotonic() > limit:
                raise LabError(f"nothing listens on port {port} of {node}")
            time.sleep(0.02)

    # Running things

    def command(self, node, words):
        return ["ip", "netns", "exec", self.namespace(node), *words]

    def start(self, node, words, **options):
        """Starts a process that ends with the lab."""
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(self.command(node, words), **(quiet | options))
        self.processes.append(process)
        return process

    def run(self, node, words, text=None):
        result = subprocess.run(self.command(node, words), input=text, text=True, capture_output=True, check=False)
        if result.returncode != 0:
            raise LabError(f"{node}: {' '.join(words)}: {result.stderr.strip()}")
        return result.stdout

    def output(self, node, words):
        return self.run(node, words)

    def sh(self, node, line):
        self.run(node, ["sh", "-c", line])

    def batch(self, node, lines):
        self.run(node, ["ip", "-batch", "-"], "\n".join(lines) + "\n")

    @staticmethod
    def ip(line):
        result = subprocess.run(["ip", *line.split()], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise LabError(f"ip {line}: {result.stderr.strip()}")


def read_topology(text):
    """Reads `A+B`."""
    if not re.fullmatch(r"[^+]+\+[^+]+", text):
        raise LabError(f"no such topology: {text}")
    return tuple(Side.read(side) for side in text.split("+"))
