"""Lines with delay and loss between machines: a router in user space, since a
kernel without netem(8) has none. Started by wide.py as a process of its own.

Each machine has a TUN device (kernel: Documentation/networking/tuntap.rst)
whose other end is a file descriptor here. A packet is held for the delays of
both machines' lines, or lost; packets between two machines keep their order.
"""

import argparse
import heapq
import os
import random
import select
import sys
import time

# Packets of one device that are taken before the next one's turn.
TURN_PACKETS = 64
# Beyond this the machines are not slowed down but the router is.
HELD_PACKETS_MAX = 50_000
PACKET_BYTES_MAX = 2_048
IPV4_HEADER_BYTES = 20


class Router:
    """Packets on their way."""

    def __init__(self, lines, loss, seed):
        self.lines = lines
        self.loss = loss
        self.random = random.Random(seed)
        self.held = []
        self.count = 0
        self.due_s = {}
        self.seen = {"packets": 0, "lost": 0, "late": 0, "strange": 0}

    def take(self, descriptor, now_s):
        """Takes what a machine has sent."""
        for _ in range(TURN_PACKETS):
            try:
                packet = os.read(descriptor, PACKET_BYTES_MAX)
            except BlockingIOError:
                return
            self.hold(packet, now_s)

    def hold(self, packet, now_s):
        """Holds one packet, or loses it."""
        if len(packet) < IPV4_HEADER_BYTES or packet[0] >> 4 != 4:
            self.seen["strange"] += 1
            return
        pair = packet[12:20]
        sender, receiver = self.lines.get(pair[:4]), self.lines.get(pair[4:])
        if sender is None or receiver is None:
            self.seen["strange"] += 1
            return
        self.seen["packets"] += 1
        if self.random.random() < self.loss or len(self.held) >= HELD_PACKETS_MAX:
            self.seen["lost"] += 1
            return
        due_s = max(now_s + sender[1] + receiver[1], self.due_s.get(pair, 0.0))
        self.due_s[pair] = due_s
        self.count += 1
        heapq.heappush(self.held, (due_s, self.count, receiver[0], packet))

    def give(self, now_s):
        """Delivers what is due; the time until the next, or None."""
        while self.held and self.held[0][0] <= now_s:
            due_s, _, descriptor, packet = heapq.heappop(self.held)
            self.seen["late"] += now_s - due_s > 0.01
            try:
                os.write(descriptor, packet)
            except OSError:
                # A machine whose device is full or down loses packets, too.
                self.seen["lost"] += 1
        return self.held[0][0] - now_s if self.held else None


def line(text):
    """FD:ADDRESS:DELAY_MS as an entry of the table."""
    descriptor, address, delay_ms = text.split(":")
    octets = bytes(int(octet) for octet in address.split("."))
    return octets, (int(descriptor), float(delay_ms) / 1_000)


def main():
    """Routes until standard input ends; then says what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loss", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("lines", type=line, nargs="+", metavar="FD:ADDRESS:DELAY_MS")
    options = parser.parse_args()
    lines = dict(options.lines)
    router = Router(lines, options.loss, options.seed)
    poll = select.epoll()
    for descriptor, _ in lines.values():
        poll.register(descriptor, select.EPOLLIN)
    poll.register(sys.stdin.fileno(), select.EPOLLIN | select.EPOLLHUP)
    wait_s = None
    while True:
        for descriptor, _ in poll.poll(wait_s):
            if descriptor == sys.stdin.fileno():
                print(" ".join(f"{count} {what}" for what, count in router.seen.items()))
                return
            router.take(descriptor, time.monotonic())
        wait_s = router.give(time.monotonic())


if __name__ == "__main__":
    main()
