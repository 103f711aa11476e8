"""Thirty viewers far apart, on uplinks of 1 to 10 Mbit/s and lines with delay
and loss. Run as root by `tests/run netns-crowd`.

There is too little upload for all; a sponsor buys a round; its relay is killed
in the middle. Checked: that every viewer got, byte for byte, what was
published. Told: the longest pause of each around the relay's death.
"""

import argparse
import json
import random
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from netns.wide import WideNetwork  # noqa: E402
from world.cast import Cast, quit_all, quit_together  # noqa: E402
from world.media import compare  # noqa: E402
from world.programs import Failure, World, kill_relay  # noqa: E402

# (viewers, uplink in Mbit/s, what of it they share): half of them ride free.
LINES = [(14, 1, 0), (10, 2, 1.75), (4, 3, 2.8), (1, 5, 4.2), (1, 10, 6)]
STATION_UPLINK = 6
# The desk's machine has a line of its own, and one for each relay.
DESK_UPLINKS = [5, 100, 100, 100]
# One way from a machine to the middle of the network, in milliseconds.
DELAY_MS = (3, 30)
LOSS = 0.005
# Two buy: the second when the relay of the first has died.
SPONSORS = 3
PRICE_MAX = "1000000"
BEFORE_S, AFTER_S = 10, 15
# From one viewer's coming to the next: a relay is given four children until
# receipts prove that it can feed more.
PACE_S = 1


def crowd(seed):
    """(name, uplink, share) of all viewers, in the order of their coming."""
    lines = [(mbps, share) for count, mbps, share in LINES for _ in range(count)]
    random.Random(seed).shuffle(lines)
    return [(f"V{number:02}", *line) for number, line in enumerate(lines, 1)]


def gap_ms(program, from_s, until_s):
    """The longest time without a chunk that touches this part of the evening."""
    times = [e["seen_s"] for e in program.events if e["kind"] == "chunk_received"]
    gaps = [b - a for a, b in zip(times, times[1:]) if b > from_s and a < until_s]
    return round(1_000 * max(gaps, default=0))


def play(world, cast, network, viewers, stripes):
    """The evening; the time of the relay's death."""
    sponsors = [name for name, _, _ in viewers[:SPONSORS]]
    cast.open_desk(network["relays"])
    cast.sell(sponsors)
    cast.station(upload_mbps="4.2", slots=None, stripes=stripes)
    for name, _, share in viewers:
        sponsor = ["--sponsor", "never"]
        if name in sponsors:
            sponsor = ["--sponsor", "auto", "--max-price", PRICE_MAX, "--desk", cast.desk_uri]
        cast.watch(name, share, sponsor)
        world.pause(PACE_S)
    for name, _, _ in viewers:
        world.event(name, "first_chunk", 60)
    world.event("desk", "relay_started", 60)
    world.pause(BEFORE_S)
    killed_s = time.monotonic()
    kill_relay(world.programs["desk"])
    world.event("S", "relay_lost", 20)
    world.pause(AFTER_S)
    return killed_s


def check(options, viewers, codes):
    """Exit codes, and the files."""
    problems = [f"{name}: exit {code}" for name, code in codes.items() if code != 0]
    published = (options.work / "published.mp4").read_bytes()
    sent = 0
    for name, _, _ in viewers:
        received = (options.work / f"{name}.mp4").read_bytes()
        sent += len(received)
        problem = compare(published, received)
        if problem:
            problems.append(f"{name}: {problem} ({len(received)} bytes)")
    if not problems:
        print(f"seen: {len(viewers)} viewers got {sent} bytes, all as published")
    return problems


def is_guaranteed(program, at_s):
    """Whether the viewer had last been told so."""
    told = [e["guaranteed"] for e in program.events
            if e["kind"] == "guarantee" and e["seen_s"] < at_s]
    return bool(told and told[-1])


def tell(world, viewers, options, killed_s):
    """The figures, as JSON."""
    programs = {name: world.programs[name] for name, _, _ in viewers}
    around = {name: gap_ms(program, killed_s, killed_s + AFTER_S)
              for name, program in programs.items()}
    sure = sorted(name for name, program in programs.items() if is_guaranteed(program, killed_s))
    longest = {"guaranteed": max((around[name] for name in sure), default=None),
               "others": max((around[name] for name in around if name not in sure), default=None)}
    print(json.dumps({
        "schema": "roundcast.crowd/1", "stripes": options.stripes, "seed": options.seed,
        "viewers": len(viewers), "loss": LOSS, "delay_ms": DELAY_MS, "guaranteed": sure,
        "gap_ms": around, "gap_ms_max": longest,
    }))
    print(f"seen: {len(sure)} were told that they are guaranteed; longest pause around the "
          f"relay's death: theirs {longest['guaranteed']} ms, of others {longest['others']} ms")


def main():
    """Builds the machines, plays, compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("programs", "bundle", "clip", "work"):
        parser.add_argument(f"--{name}", type=lambda p: Path(p).resolve(), required=True)
    parser.add_argument("--stripes", default="4+1")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True)
    viewers = crowd(options.seed)
    delays = random.Random(options.seed)
    world = World(options.work)
    with WideNetwork(LOSS, options.seed) as network:
        desk, *relays = network.machine("desk", DESK_UPLINKS, DELAY_MS[0])
        links = {"desk": desk, "S": network.machine("S", [STATION_UPLINK], DELAY_MS[0])[0]}
        for name, uplink, _ in viewers:
            links[name] = network.machine(name, [uplink], delays.randint(*DELAY_MS))[0]
        network.start()
        cast = Cast(world, options, lambda name: (network.enter(name), links[name]), trace=True)
        try:
            killed_s = play(world, cast, {"relays": relays}, viewers, options.stripes)
            riders = [name for name, _, share in viewers if share == 0]
            others = [name for name, _, share in reversed(viewers) if share > 0]
            codes = quit_together(world, riders) | quit_all(world, [*others, "S", "desk"])
            problems = check(options, viewers, codes)
            tell(world, viewers, options, killed_s)
        except Failure as failure:
            problems = [str(failure)]
        finally:
            world.close()
        print(f"seen: on the lines {network.stop()}")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
