"""The grid: which networks are tried, and what theory allows in each."""

from dataclasses import dataclass

import lab
import router

KINDS = [
    "public", "fullcone", "restricted", "portrestricted", "linux", "addressmapped", "symmetric", "sequential",
]
BLOCKED = ["portrestricted/noudp", "portrestricted/only443"]

DIRECT, RELAY, NONE = "direct", "relay", "none"


@dataclass(frozen=True)
class Cell:
    """One network and one kind of session on it.

    Written TOPOLOGY[@delay=MS,jitter=MS,loss=PERCENT,overlap,move][:tcp|:predict|:birthday|:names].
    """

    topology: str
    line: lab.Line = lab.Line()
    tcp: bool = False
    overlap: bool = False
    predict: bool = False
    names: bool = False  # hosts are told by names of multicast DNS
    moves: bool = False  # host a gets another address while both talk
    birthday: bool = False

    @property
    def name(self):
        line = [(key, getattr(self.line, field)) for key, field in
                (("delay", "delay_ms"), ("jitter", "jitter_ms"), ("loss", "loss_percent"))]
        options = [f"{key}={value:g}" for key, value in line if value] + (["overlap"] if self.overlap else []) \
            + (["move"] if self.moves else [])
        kinds = [("tcp", self.tcp), ("predict", self.predict), ("birthday", self.birthday), ("names", self.names)]
        session = "".join(f":{word}" for word, is_chosen in kinds if is_chosen)
        return self.topology + ("@" + ",".join(options) if options else "") + session

    @staticmethod
    def read(text):
        rest, _, transport = text.partition(":")
        topology, _, options = rest.partition("@")
        words = dict(word.partition("=")[::2] for word in options.split(",") if word)
        overlap, moves = (words.pop(word, None) is not None for word in ("overlap", "move"))
        numbers = {key: float(value) for key, value in words.items()}
        line = lab.Line(numbers.get("delay", 0), numbers.get("jitter", 0), numbers.get("loss", 0))
        return Cell(topology, line, transport == "tcp", overlap, transport == "predict", transport == "names", moves,
                    transport == "birthday")

    @property
    def expected(self):
        """The best kind of pair that theory allows."""
        a, b = lab.read_topology(self.topology)
        if b.shares_router:
            return DIRECT if b.kind == "same" or "hairpin" in a.flags else RELAY
        if self.birthday:
            # Without a relay: at ports drawn at random, if one side's last and the other's do not.
            kept = [behaviour(side)[0] == router.INDEPENDENT for side in (a, b)]
            return DIRECT if reaches(a, b) or reaches(b, a) or any(kept) else NONE
        if not families(a) & families(b):
            return RELAY
        if self.tcp:
            return DIRECT if connects(a, b) or connects(b, a) or crosses(a, b) else RELAY
        if blocks_udp(a) or blocks_udp(b):
            return RELAY
        if 6 in families(a) & families(b):
            return DIRECT
        if self.moves:
            # Nobody tells b where a is now, so a must get to b as anybody would, or to its relay.
            return DIRECT if behaviour(b) == (router.INDEPENDENT, router.INDEPENDENT) else RELAY
        if self.predict and any(counts(one) and behaviour(other)[0] == router.INDEPENDENT for one, other in ((a, b), (b, a))):
            return DIRECT
        return DIRECT if reaches(a, b) or reaches(b, a) else RELAY

    @property
    def accepted(self):
        """The kinds of pair that make the cell green: where packets get lost, the better path may show up too late."""
        return {self.expected, RELAY} if self.line.loss_percent else {self.expected}

    @property
    def ways(self):
        """What else than UDP an agent needs for it."""
        a, b = lab.read_topology(self.topology)
        return ({"mapping"} if "igd" in a.flags | b.flags else set()) | \
            ({"prediction"} if self.predict else set()) | ({"birthday"} if self.birthday else set())

    def goal_ms(self, kind):
        """How soon both sides should be able to send: round trips between them and to the servers, and some slack."""
        peer, server = 2 * self.line.delay_ms, self.line.delay_ms
        if kind == RELAY:
            return 2 * peer + 2 * server + 20
        a, b = lab.read_topology(self.topology)
        is_crossing = not a.is_public and not b.is_public and not b.shares_router
        return 2 * peer + (40 if is_crossing else 20)


def families(side):
    if "v6only" in side.flags:
        return {6}
    return {4, 6} if "dual" in side.flags else {4}


def blocks_udp(side):
    return not side.flags.isdisjoint({"noudp", "only443"})


def counts(side):
    """Whether the ports of a side's NAT follow each other."""
    return not side.carrier and side.kind in router.KINDS and router.KINDS[side.kind].ports == "sequential"


def behaviour(side):
    """Mapping and filtering of the whole way out, the stricter of both NATs; a mapped port is open to everyone."""
    if side.is_public or ("igd" in side.flags and not side.carrier):
        return router.INDEPENDENT, router.INDEPENDENT
    order = [router.INDEPENDENT, router.ADDRESS, router.PORT]
    kinds = [router.KINDS[kind] for kind in (side.kind, side.carrier) if kind]
    return (max((kind.mapping for kind in kinds), key=order.index),
            max((kind.filtering for kind in kinds), key=order.index))


def reaches(a, b):
    """Whether packets of `a` get to `b`, once `b` has sent to where `a` says it is."""
    mapping, filtering = behaviour(b)
    if mapping != router.INDEPENDENT:
        return False
    # The port `a` sends from is known in advance only if its mapping is the same for everyone.
    return filtering != router.PORT or behaviour(a)[0] == router.INDEPENDENT


def connects(a, b):
    """Whether `a` may open connections to `b`: `b` is public, has a mapped port, or a NAT that lets everybody in."""
    mapping, filtering = behaviour(b)
    # Over a filter that looks at addresses it depends on who is first, so nobody counts on it.
    return mapping == filtering == router.INDEPENDENT and "only443" not in a.flags | b.flags


def crosses(a, b):
    """Whether connections that both sides open at once meet: each must know the port the other one's come from."""
    return behaviour(a)[0] == behaviour(b)[0] == router.INDEPENDENT and "only443" not in a.flags | b.flags


def lossy():
    """The cells of the grid on lines that lose packets."""
    return [cell for cell in grid() if cell.line.loss_percent]


def grid():
    """Every kind against every kind over UDP, then what is special."""
    kinds = KINDS + BLOCKED
    pairs = [f"{a}+{b}" for index, a in enumerate(kinds) for b in kinds[index:]]
    return [Cell.read(text) for text in pairs + SPECIAL + GUESSED + NAMED + MOVING + OVER_TCP]


SPECIAL = [
    # Carrier NATs.
    "portrestricted~fullcone+portrestricted", "linux~symmetric+fullcone", "linux~symmetric+linux~symmetric",
    "linux~linux+linux~linux",
    # Behind one router.
    "linux+same", "portrestricted/hairpin+isolated", "symmetric+isolated",
    # IPv6.
    "portrestricted/dual+linux/dual", "symmetric/dual+symmetric/dual", "linux/v6only+portrestricted/dual",
    "linux/v6only+portrestricted",
    # Routers that map ports.
    "symmetric/igd+portrestricted", "symmetric/igd+symmetric", "linux/igd~linux+symmetric",
    # Both homes use the same addresses.
    "portrestricted+portrestricted@overlap",
    # Routers that refuse loudly.
    "portrestricted/reject+linux/reject",
    # Long and bad lines.
    "portrestricted+portrestricted@delay=25,jitter=3", "portrestricted+portrestricted@delay=25,jitter=3,loss=10",
    "portrestricted+symmetric@delay=25,jitter=3", "portrestricted+symmetric@delay=25,jitter=3,loss=10",
    "symmetric+symmetric@delay=25,jitter=3", "symmetric+symmetric@delay=25,jitter=3,loss=10",
]

# Between agents that agreed to guess ports.
GUESSED = ["portrestricted+sequential:predict", "linux+sequential:predict", "sequential+sequential:predict"]

# Neighbours that are not told each other's addresses, where nothing else leads to a direct path.
NAMED = ["linux+same:names"]

# Sessions whose host a gets another address.
MOVING = ["public+fullcone@move", "linux+public@move", "portrestricted+portrestricted@move"]
# How long neither side may hear the other: one of these seconds host a has no address at all.
SILENCE_LIMIT_MS = 5_000

# With listeners, connections over relays, and connections that both sides open at once.
OVER_TCP = [text + ":tcp" for text in (
    "public+public", "public+portrestricted", "public+symmetric", "public+portrestricted/noudp",
    "public+portrestricted/only443",
    "fullcone+symmetric", "restricted+linux", "portrestricted+portrestricted", "portrestricted+linux", "linux+linux",
    "portrestricted/noudp+linux/noudp", "linux~linux+linux~linux",
    "portrestricted+portrestricted@delay=25,jitter=3", "portrestricted/reject+linux/reject@delay=25,jitter=3",
    "portrestricted+symmetric", "linux+symmetric", "symmetric+symmetric", "symmetric+portrestricted/only443",
    "portrestricted+portrestricted/only443", "portrestricted/only443+portrestricted/only443",
    "linux/igd+symmetric", "symmetric/igd+symmetric",
)]
