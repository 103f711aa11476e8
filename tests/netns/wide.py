"""Machines far apart: network namespaces whose lines delay and lose packets.

As network.py, with a router in user space (lines.py) in the place of the
bridge. What a machine sends is shaped with HTB before it leaves.
"""

import fcntl
import os
import struct
import subprocess
import sys
from pathlib import Path

from netns.network import (  # noqa: E402
    NETWORK, PREFIX, add_space, configure, enter, remove_spaces, run, sent_bytes)

# linux/if_tun.h: take a device; packets without a header in front.
TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x0001 | 0x1000


class WideNetwork:
    """The machines, and the router between them. Machines first, then `start`."""

    def __init__(self, loss, seed):
        self.loss = loss
        self.seed = seed
        self.words = []
        self.descriptors = []
        self.router = None

    def __enter__(self):
        remove_spaces()
        return self

    def __exit__(self, *_):
        for descriptor in self.descriptors:
            os.close(descriptor)
        if self.router is not None and self.router.poll() is None:
            self.router.kill()
            self.router.wait()
        remove_spaces()

    def machine(self, name, uplinks, delay_ms):
        """A machine with one line per entry of `uplinks` (Mbit/s), each that
        long. Returns the addresses of its lines."""
        space = add_space(name)
        return [self._line(space, mbps, delay_ms) for mbps in uplinks]

    def _line(self, space, mbps, delay_ms):
        number = len(self.descriptors) + 2
        device = f"{PREFIX}{number}"
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN_NO_PI))
        self.descriptors.append(descriptor)
        run("ip", "link", "set", device, "netns", space)
        configure(space, device, number, mbps)
        address = f"{NETWORK}.{number}"
        self.words.append(f"{descriptor}:{address}:{delay_ms}")
        return address

    def start(self):
        """Starts the router."""
        program = Path(__file__).resolve().parent / "lines.py"
        self.router = subprocess.Popen(
            [sys.executable, program, "--loss", str(self.loss), "--seed", str(self.seed), *self.words],
            pass_fds=self.descriptors, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def stop(self):
        """Ends the router; what it has seen."""
        return self.router.communicate(timeout=10)[0].strip()

    def enter(self, name):
        """The words that run a command on a machine."""
        return enter(f"{PREFIX}-{name}")

    def sent_bytes(self, name):
        """Bytes that a machine has sent through its shapers."""
        return sent_bytes(f"{PREFIX}-{name}")
