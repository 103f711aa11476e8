"""Measures what people wait for, on loopback, and prints JSON
(roundcast.figures/1):

- joins: from the start of `watch` to its first verified chunk;
- rounds: from the grant to the first chunk through the relay;
- deaths: the longest gap between two chunks of B and C, who have another
  parent in reach, when their relay is killed.

Every value is the difference of two stamps of CLOCK_MONOTONIC. Exits 1 if a
bound of PROMISES.md is missed.
"""

import argparse
import json
import math
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from world import story  # noqa: E402
from world.cast import Cast, quit_all  # noqa: E402
from world.programs import Failure, World  # noqa: E402

JOIN_MS_P95_MAX = 1000
ROUND_MS_MAX = 2000
DEATH_GAP_MS_MAX = 2000
# Viewers that watch at once while joins are measured.
AUDIENCE = 5


def percentile(values, share):
    """The nearest-rank percentile."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def hosts(number):
    """Each program on a loopback address of its own."""
    names = ["S", *story.VIEWERS, "desk"]
    known = {name: f"127.72.{number}.{n}" for n, name in enumerate(names, 1)}
    return lambda name: ([], known.get(name) or f"127.72.{number}.{100 + int(name[1:])}")


def joins(options, count):
    """Milliseconds from the start of each `watch` to its first chunk."""
    options.work.mkdir(parents=True)
    world = World(options.work)
    cast = Cast(world, options, hosts(0))
    waits = []
    try:
        cast.station(upload_mbps=str(4 * AUDIENCE), slots=None)
        audience = []
        for number in range(count):
            name = f"V{number}"
            started = time.monotonic()
            cast.viewer(name)
            chunk = world.event(name, "first_chunk")
            waits.append(chunk["mono_us"] / 1000 - started * 1000)
            audience.append(name)
            if len(audience) == AUDIENCE:
                quit_all(world, [audience.pop(0)])
        quit_all(world, [*audience, "S"])
    finally:
        world.close()
    return waits


def evening(options, number):
    """One round and one death: (round_ms, {viewer: longest gap in ms})."""
    options.work.mkdir(parents=True)
    world = World(options.work)
    cast = Cast(world, options, hosts(number), trace=True)
    try:
        relay = story.round_of_b(world, cast, [f"127.72.{number}.101"])
        granted = world.event("S", "sponsor_granted", who="B")["mono_us"]
        # A neighbour may have brought an earlier one.
        first = world.event("D", "chunk_received", **{"from": relay})["mono_us"]
        cast.viewer("E")
        world.event("E", "first_chunk")
        world.pause(5)
        killed = time.monotonic() * 1e6
        story.relay_dies(world)
        world.pause(5)
        gaps = {name: longest_gap_ms(world.programs[name], killed) for name in ("B", "C")}
        quit_all(world, [*reversed(story.VIEWERS), "S", "desk"])
    finally:
        world.close()
    return (first - granted) / 1000, gaps


def longest_gap_ms(program, since_us):
    """The longest wait between two chunks around and after a time."""
    stamps = [e["mono_us"] for e in program.events if e["kind"] == "chunk_received"]
    if not stamps or stamps[-1] < since_us:
        raise Failure(f"{program.name} got nothing after the relay's death")
    last_before = max((s for s in stamps if s <= since_us), default=since_us)
    after = [last_before, *[s for s in stamps if s > since_us]]
    return max(b - a for a, b in zip(after, after[1:])) / 1000


def measure(options):
    """All figures."""
    work = options.work
    shutil.rmtree(work, ignore_errors=True)
    options.work = work / "joins"
    waits = joins(options, options.joins)
    rounds, deaths = [], []
    for number in range(1, options.evenings + 1):
        options.work = work / f"evening-{number}"
        round_ms, gaps = evening(options, number)
        rounds.append(round(round_ms))
        deaths.append({name: round(gap) for name, gap in gaps.items()})
    worst_gap = max(gap for gaps in deaths for gap in gaps.values())
    return {
        "schema": "roundcast.figures/1",
        "joins": {"count": len(waits), "ms_p50": round(percentile(waits, 0.5)),
                  "ms_p95": round(percentile(waits, 0.95)), "ms_max": round(max(waits)),
                  "ms_p95_bound": JOIN_MS_P95_MAX},
        "rounds": {"ms": rounds, "ms_bound": ROUND_MS_MAX},
        "deaths": {"gap_ms": deaths, "gap_ms_bound": DEATH_GAP_MS_MAX},
        "ok": percentile(waits, 0.95) < JOIN_MS_P95_MAX and max(rounds) < ROUND_MS_MAX
        and worst_gap <= DEATH_GAP_MS_MAX,
    }


def main():
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("programs", "bundle", "clip", "work"):
        parser.add_argument(f"--{name}", type=lambda p: Path(p).resolve(), required=True)
    parser.add_argument("--joins", type=int, default=30)
    parser.add_argument("--evenings", type=int, default=3)
    try:
        figures = measure(parser.parse_args())
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    print(json.dumps(figures, indent=2))
    return 0 if figures["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
