"""Packet filter rules that make a Linux router behave like one kind of NAT (RFC 4787 names).

A kind is a mapping and a filtering behaviour. The kernel's own translation maps by connection; what it does not know is
added by sets that remember which inner endpoint stands behind an external port, and whom it has spoken to.
"""

from dataclasses import dataclass

INDEPENDENT = "endpoint-independent"
ADDRESS = "address-dependent"
PORT = "address-and-port-dependent"


@dataclass(frozen=True)
class Kind:
    """What a NAT does, in the words of RFC 4787."""

    mapping: str
    filtering: str
    ports: str  # "hashed", "preserved", "random" or "sequential"


KINDS = {
    "fullcone": Kind(INDEPENDENT, INDEPENDENT, "hashed"),
    "restricted": Kind(INDEPENDENT, ADDRESS, "hashed"),
    "portrestricted": Kind(INDEPENDENT, PORT, "hashed"),
    "linux": Kind(INDEPENDENT, PORT, "preserved"),
    "addressmapped": Kind(ADDRESS, PORT, "hashed"),
    "symmetric": Kind(PORT, PORT, "random"),
    "sequential": Kind(PORT, PORT, "sequential"),
}

# The kernel's counter is not in network order, so ports are looked up.
SEQUENCE = [f"{index} : {20000 + index}" for index in range(2000)]
# Ports come out with their bytes swapped, so from 1 up. The seed must be given: without it the kernel draws another one for each rule.
INNER_HASH = "jhash ip saddr . th sport mod 40000 seed 0x51ed offset 12000"
PEER_HASH = "jhash ip saddr . th sport . ip daddr mod 40000 seed 0x51ed offset 12000"


def source_translation(kind, external):
    """How the external port of a new connection is chosen."""
    if kind.ports == "preserved":
        return "masquerade"
    if kind.ports == "random":
        return f"snat ip to {external}:12000-61000 fully-random"
    if kind.ports == "sequential":
        return f"snat ip to {external}:numgen inc mod {len(SEQUENCE)} map {{ {', '.join(SEQUENCE)} }}"
    hashed = PEER_HASH if kind.mapping == ADDRESS else INNER_HASH
    return f"snat ip to {external}:{hashed}"


def translation(kind, external, inner_net, hairpin):
    """The tables of one NAT between the interfaces `lan` and `wan`."""
    inbound, memory = [], []
    if kind.mapping == INDEPENDENT and kind.ports == "hashed":
        memory.append(f"oifname wan update @inner {{ {INNER_HASH} : ip saddr . th sport }}")
        if kind.filtering == INDEPENDENT:
            inbound.append("iifname wan dnat ip to th dport map @inner")
        elif kind.filtering == ADDRESS:
            inbound.append("iifname wan ip saddr . th dport @contacted dnat ip to th dport map @inner")
        if hairpin:
            memory.append(f"iifname lan update @inner {{ {INNER_HASH} : ip saddr . th sport }}")
            inbound.append("iifname lan dnat ip to th dport map @inner")
    elif hairpin:
        raise ValueError("only endpoint-independent mappings with hashed ports can be hairpinned here")
    lines = lambda rules: "\n        ".join(f"meta l4proto {{ tcp, udp }} {rule}" for rule in rules)
    own = f"ip daddr {external} "
    hair = f"oifname lan ip saddr {inner_net} ct status dnat snat ip to {external}:{INNER_HASH}" if hairpin else ""
    return f"""
table ip nat {{
    map inner {{ type inet_service : ipv4_addr . inet_service; flags dynamic,timeout; timeout 300s; size 65535; }}
    set contacted {{ type ipv4_addr . inet_service; flags dynamic,timeout; timeout 300s; size 65535; }}
    chain inbound {{
        type nat hook prerouting priority dstnat; policy accept;
        {lines([own + rule for rule in inbound])}
    }}
    chain remember {{
        type filter hook postrouting priority srcnat - 1; policy accept;
        {lines(memory)}
    }}
    chain outbound {{
        type nat hook postrouting priority srcnat; policy accept;
        {lines([hair] if hair else [])}
        {lines(["oifname wan " + source_translation(kind, external)])}
        oifname wan masquerade
    }}
    chain contacts {{
        type filter hook postrouting priority srcnat + 1; policy accept;
        {lines([f"oifname wan ip saddr {external} update @contacted {{ ip daddr . th sport }}"])}
    }}
}}
"""


def firewall(flags):
    """What may pass the router, both families. Without `reject`, what may not is dropped in silence.

    Traffic to the router itself from outside is dropped before the kernel remembers it: a remembered packet of the peer
    would take the port that our own mapping needs.
    """
    refuse = "reject" if "reject" in flags else "drop"
    blocked = {
        "noudp": "iifname lan meta l4proto udp " + refuse,
        "only443": "iifname lan meta l4proto != { tcp, icmp, ipv6-icmp } " + refuse
        + "\n        iifname lan tcp dport != 443 " + refuse,
    }
    rules = "\n        ".join(blocked[flag] for flag in sorted(flags) if flag in blocked)
    jump = "jump mappings" if "igd" in flags else ""
    return f"""
table inet guard {{
    chain mappings {{ }}
    chain forwarded {{
        type filter hook forward priority filter; policy drop;
        {rules}
        ct state established,related accept
        iifname lan accept
        ct status dnat accept
        meta l4proto ipv6-icmp accept
        {jump}
        {refuse}
    }}
    chain arriving {{
        type filter hook input priority filter; policy drop;
        iifname != wan accept
        ct state established,related accept
        meta l4proto {{ icmp, ipv6-icmp }} accept
        {refuse}
    }}
}}
"""


def port_mapping_tables():
    """Chains that miniupnpd fills."""
    return """
table inet mapped {
    chain prerouting { type nat hook prerouting priority dstnat - 5; policy accept; jump forwards; }
    chain postrouting { type nat hook postrouting priority srcnat - 5; policy accept; jump sources; }
    chain forwards { }
    chain sources { }
}
"""
