"""The evening of the demo on machines of their own: network namespaces with
limited uplinks. Run as root by `tests/run netns`.

Checked: the same story, and that every viewer got, byte for byte, what was
published, through the death of a relay.
"""

import argparse
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from netns.network import Network  # noqa: E402
from world.cast import Cast, quit_all  # noqa: E402
from world.media import compare  # noqa: E402
from world.programs import Failure, World, kill_relays  # noqa: E402

# Mbit/s. What each member says it can upload, and a little more for the rest
# of what a machine sends; a viewer that shares nothing still acknowledges.
UPLINKS = {"S": [4.0], "A": [0.5], "B": [2.2], "C": [0.5], "D": [0.5], "E": [0.5]}
# The desk's machine has a link of its own, and one for the relays it starts.
DESK_UPLINKS = [5.0, 100.0]
VIEWERS = ["A", "B", "C", "D", "E"]
PLAN = {"A": ["decline"], "B": ["accept", "decline"], "C": [None],
        "D": ["decline", "accept"], "E": ["decline"]}


def play(world, cast, desk_links):
    """The evening, step by step."""
    cast.open_desk(desk_links[1:])
    cast.sell(["B", "D"])
    cast.answers(PLAN)
    cast.station()
    for name in ("A", "B", "C"):
        cast.viewer(name)
        world.event(name, "first_chunk")
    cast.viewer("D")
    world.event("S", "capacity_short", 20)
    world.event("B", "sponsor_asked", 40)
    world.event("desk", "relay_started", 30)
    relay = world.event("D", "first_chunk", 40)["from"]
    if world.programs["D"].first("relay_verified", relay=relay) is None:
        raise Failure("D took from its relay before verifying it")
    cast.viewer("E")
    world.event("E", "first_chunk", 30)
    world.pause(5)
    kill_relays(world.programs["desk"])
    world.event("S", "relay_lost", 20)
    world.until("a second relay", lambda: len(
        [e for e in world.programs["desk"].events if e["kind"] == "relay_started"]) == 2, 60)
    for name in ("B", "D", "E"):
        world.event(name, "reparented", 40)
    world.pause(10)


def check(options, codes):
    """Exit codes, and the files."""
    problems = [f"{name}: exit {code}" for name, code in codes.items() if code != 0]
    published = (options.work / "published.mp4").read_bytes()
    for name in VIEWERS:
        received = (options.work / f"{name}.mp4").read_bytes()
        problem = compare(published, received)
        if problem:
            problems.append(f"{name}: {problem} ({len(received)} bytes)")
        else:
            print(f"seen: {name} got {len(received)} bytes, all as published")
    return problems


def main():
    """Builds the machines, plays, compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("programs", "bundle", "clip", "work"):
        parser.add_argument(f"--{name}", type=lambda p: Path(p).resolve(), required=True)
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True)
    world = World(options.work)
    with Network() as network:
        desk_links = network.machine("desk", DESK_UPLINKS)
        links = {name: network.machine(name, rates)[0] for name, rates in UPLINKS.items()}
        links["desk"] = desk_links[0]
        cast = Cast(world, options, lambda name: (network.enter(name), links[name]))
        try:
            play(world, cast, desk_links)
            codes = quit_all(world, [*reversed(VIEWERS), "S", "desk"])
            problems = check(options, codes)
            for name in UPLINKS:
                print(f"seen: {name} sent {network.sent_bytes(name)} bytes at {UPLINKS[name][0]} Mbit/s")
        except Failure as failure:
            problems = [str(failure)]
        finally:
            world.close()
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
