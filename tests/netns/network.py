"""Machines with uplinks of their own: network namespaces on one bridge.

Each machine is a namespace with a veth pair to the bridge; its end is shaped
with HTB (tc-htb(8)), so that what it sends is limited and what it receives is
not, as on a home line. Needs root.
"""

import json
import re
import subprocess

PREFIX = "rcast"
NETWORK = "10.77.0"
# Packets that wait at a full uplink: about 0.2 s at 5 Mbit/s, as a home
# router's queue.
QUEUE_PACKETS = 100


def run(*words, check=True):
    """Runs a command; its error is the exception's text."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def enter(space):
    """The words that run a command in a namespace."""
    return ["ip", "netns", "exec", space]


def add_space(name):
    """A namespace for a machine; its name."""
    space = f"{PREFIX}-{name}"
    run("ip", "netns", "add", space)
    run(*enter(space), "ip", "link", "set", "lo", "up")
    # Answer for an address on its own link only, and accept on any.
    for key, value in {"arp_ignore": 1, "arp_announce": 2, "rp_filter": 0}.items():
        run(*enter(space), "sysctl", "-q", "-w", f"net.ipv4.conf.all.{key}={value}")
    return space


def remove_spaces():
    """Takes down the namespaces that this or an earlier run left."""
    for line in run("ip", "netns", "list").splitlines():
        name = line.split()[0]
        if name.startswith(f"{PREFIX}-"):
            run("ip", "netns", "del", name, check=False)


def configure(space, device, number, mbps):
    """Gives a device in a namespace its address and its shaper; the device is
    used for that address only."""
    inside, address = enter(space), f"{NETWORK}.{number}"
    run(*inside, "ip", "address", "add", f"{address}/32", "dev", device)
    run(*inside, "ip", "link", "set", device, "up")
    table = str(100 + number)
    route = ["ip", "route", "add", f"{NETWORK}.0/24", "dev", device, "src", address]
    run(*inside, *route, "table", table)
    run(*inside, "ip", "rule", "add", "from", address, "table", table)
    run(*inside, *route, "metric", str(number))
    tc = [*inside, "tc"]
    run(*tc, "qdisc", "add", "dev", device, "root", "handle", "1:", "htb", "default", "10")
    run(*tc, "class", "add", "dev", device, "parent", "1:", "classid", "1:10",
        "htb", "rate", f"{mbps}mbit", "ceil", f"{mbps}mbit")
    run(*tc, "qdisc", "add", "dev", device, "parent", "1:10", "pfifo",
        "limit", str(QUEUE_PACKETS))
    return address


def sent_bytes(space):
    """Bytes that a machine has sent through its shapers."""
    shown = run(*enter(space), "tc", "-s", "-j", "qdisc", "show")
    return sum(q["bytes"] for q in json.loads(shown) if q["kind"] == "htb")


class Network:
    """The bridge and the machines on it."""

    def __init__(self):
        self.machines = {}
        self.bridge = f"{PREFIX}-bridge"

    def __enter__(self):
        self.remove()
        run("ip", "link", "add", self.bridge, "type", "bridge")
        run("ip", "link", "set", self.bridge, "up")
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        """Takes down what this or an earlier run left."""
        remove_spaces()
        # The kernel removes a namespace's links when it comes to it.
        for link in json.loads(run("ip", "-j", "link", "show")):
            if re.fullmatch(rf"{PREFIX}(\d+|-bridge)", link["ifname"]):
                run("ip", "link", "del", link["ifname"], check=False)

    def machine(self, name, uplinks):
        """A machine with one link per entry of `uplinks` (Mbit/s). Returns the
        addresses of its links; each link is used for its own address only."""
        space = add_space(name)
        addresses = []
        for mbps in uplinks:
            number = sum(len(links) for links in self.machines.values()) + len(addresses) + 2
            addresses.append(self._link(space, number, mbps))
        self.machines[name] = addresses
        return addresses

    def _link(self, space, number, mbps):
        outer, inner, address = f"{PREFIX}{number}", f"eth{number}", f"{NETWORK}.{number}"
        run("ip", "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", space)
        run("ip", "link", "set", outer, "master", self.bridge, "up")
        configure(space, inner, number, mbps)
        return address

    def enter(self, name):
        """The words that run a command on a machine."""
        return enter(f"{PREFIX}-{name}")

    def sent_bytes(self, name):
        """Bytes that a machine has sent through its shapers."""
        return sent_bytes(f"{PREFIX}-{name}")
