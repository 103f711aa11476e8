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
from world import story  # noqa: E402
from world.cast import Cast, quit_all  # noqa: E402
from world.media import compare  # noqa: E402
from world.programs import Failure, World  # noqa: E402

# Mbit/s. What each member says it can upload, and a little more for the rest
# of what a machine sends; a viewer that shares nothing still acknowledges.
UPLINKS = {"S": [4.0], "A": [0.5], "B": [2.2], "C": [0.5], "D": [0.5], "E": [0.5]}
# The desk's machine has a link of its own, and one for the relays it starts.
DESK_UPLINKS = [5.0, 100.0]


def check(options, codes):
    """Exit codes, and the files."""
    problems = [f"{name}: exit {code}" for name, code in codes.items() if code != 0]
    published = (options.work / "published.mp4").read_bytes()
    for name in story.VIEWERS:
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
            story.round_of_b(world, cast, desk_links[1:])
            cast.viewer("E")
            world.event("E", "first_chunk", 30)
            world.pause(5)
            story.relay_dies(world)
            world.pause(10)
            codes = quit_all(world, [*reversed(story.VIEWERS), "S", "desk"])
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
