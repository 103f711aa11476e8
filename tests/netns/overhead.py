"""What the wire carries beside the stream: one child, 5 Mbit/s, no parity, in
network namespaces. Run as root by `tests/run netns-overhead`; prints JSON.

Counted is what the station's machine sends: blocks with their proofs, headers,
permits, beacons and acknowledgements, QUIC, UDP and IP. Ethernet's header is
the link's, and left out. Beside it stands what any transport over QUIC pays for
packets of 1,500 bytes that are all full (the floor), and who the rest is: IP and
UDP, QUIC's own bytes for as many packets as were seen, and what Roundcast adds.
QUIC's are reckoned, since they are encrypted.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from netns.network import Network, run  # noqa: E402
from world.cast import Cast, quit_all  # noqa: E402
from world.programs import Failure, World  # noqa: E402

STREAM_MBPS = 5
SECONDS = 20
# Until the child has caught up.
SETTLE_S = 4
ETHERNET_BYTES = 14
MTU_BYTES = 1_500
IP_UDP_BYTES = 28
# A short header with the identifier of overlay/link/src/reset.rs and a packet
# number of one byte, the tag of AES-GCM, and the header of a STREAM frame that
# fills its packet: type, stream, offset.
QUIC_BYTES = (1 + 4 + 1) + 16 + (1 + 1 + 4)


def sent(network, name):
    """IP bytes and packets that a machine has sent."""
    shown = run(*network.enter(name), "tc", "-s", "-j", "qdisc", "show")
    roots = [q for q in json.loads(shown) if q["kind"] == "htb"]
    packets = sum(q["packets"] for q in roots)
    return sum(q["bytes"] for q in roots) - ETHERNET_BYTES * packets, packets


def received(program):
    """Bytes of the stream that the viewer has put out."""
    return sum(e["bytes"] for e in program.events if e["kind"] == "chunk_received")


def between_chunks(world, network, viewer):
    """What was put out, and sent, when a chunk has just come: nothing is under
    way until the next one."""
    chunks = len([e for e in viewer.events if e["kind"] == "chunk_received"])
    world.until("another chunk", lambda: chunks < len(
        [e for e in viewer.events if e["kind"] == "chunk_received"]))
    return received(viewer), *sent(network, "S")


def split(stream, wire, packets):
    """The figures, as percent of the stream."""
    def percent(count):
        return round(100 * count / stream, 2)
    ip_udp, quic = packets * IP_UDP_BYTES, packets * QUIC_BYTES
    headers = IP_UDP_BYTES + QUIC_BYTES
    return {"stream_bytes": stream, "wire_bytes": wire, "packets": packets,
            "overhead_percent": percent(wire - stream),
            "floor_percent": round(100 * headers / (MTU_BYTES - headers), 2),
            "ip_udp_percent": percent(ip_udp), "quic_percent": percent(quic),
            "roundcast_percent": percent(wire - stream - ip_udp - quic)}


def measure(world, cast, network, options):
    """Plays, and compares what was sent with what was put out."""
    raw = options.work / "raw"
    raw.write_bytes(os.urandom(STREAM_MBPS * 125_000 * (SECONDS + 3 * SETTLE_S)))
    world.start("S", cast.command(
        "S", "roundcast", "broadcast", "--input", raw, "--raw", "--stream-mbps", STREAM_MBPS,
        "--stripes", "1+0",
        "--upload-mbps", 2 * STREAM_MBPS, *cast.common("S")))
    cast.invite = world.event("S", "station_ready")["invite"]
    viewer = cast.watch("A", 0, ["--sponsor", "never"])
    world.event("A", "first_chunk")
    world.pause(SETTLE_S)
    before, first, packets = between_chunks(world, network, viewer)
    world.pause(SECONDS)
    stream, last, packets_after = between_chunks(world, network, viewer)
    stream -= before
    if stream < STREAM_MBPS * 125_000 * SECONDS * 0.9:
        raise Failure(f"only {stream} bytes of the stream arrived in {SECONDS} s")
    return {"schema": "roundcast.overhead/2", "stream_mbps": STREAM_MBPS, "stripes": "1+0",
            "seconds": SECONDS, **split(stream, last - first, packets_after - packets)}


def main():
    """Builds the machines, plays, tells."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("programs", "bundle", "clip", "work"):
        parser.add_argument(f"--{name}", type=lambda p: Path(p).resolve(), required=True)
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True)
    world = World(options.work)
    with Network() as network:
        links = {name: network.machine(name, [100])[0] for name in ("S", "A")}
        cast = Cast(world, options, lambda name: (network.enter(name), links[name]), trace=True)
        try:
            figures = measure(world, cast, network, options)
            print(json.dumps(figures))
            print(f"seen: {figures['overhead_percent']} % beside the stream, of which "
                  f"{figures['roundcast_percent']} % Roundcast's own; QUIC, UDP and IP "
                  f"in full packets: {figures['floor_percent']} %")
            quit_all(world, ["A"])
        except Failure as failure:
            print(failure)
            return 1
        finally:
            world.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
