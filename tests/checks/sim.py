"""Checks the JSON of one `sim` run from outside: its shape, what its numbers
must agree on, and what its scenario promised.

Usage: sim.py RESULT            the small run of the normal tier
       sim.py --long RESULT     the large one
       sim.py --is-of COMMIT RESULT   exits 0 if it is there, of this commit
"""

import argparse
import json
import re
import sys
from pathlib import Path

CLASSES = {"sponsor", "contributor", "free_rider"}
SERIES = ["continuity", "viewers", "waiting", "guaranteed", "depth", "delay_ms_p50",
          "delay_ms_p99", "control_bytes"]


def shape(run):
    """What every run says of itself."""
    if run["schema"] != "roundcast.sim/1":
        yield f"the schema is {run['schema']}"
    if not re.fullmatch(r"[0-9a-f]{64}", run["digest"]):
        yield "the digest is none"
    if not re.fullmatch(r"[0-9a-f]{40}", run["commit"] or ""):
        yield "the commit is missing"
    for name in ("seed", "viewers", "seconds", "steps", "playout_delay_ms"):
        if run[name] <= 0:
            yield f"{name} is {run[name]}"
    if set(run["continuity"]["by_class"]) != CLASSES:
        yield "the classes are other ones"


def agrees(run):
    """What the numbers must agree on, whatever came out."""
    continuity = run["continuity"]
    overall = continuity["overall"]
    classes = [c for c in continuity["by_class"].values() if c]
    if sum(c["viewers"] for c in classes) != overall["viewers"]:
        yield "the classes are not all viewers"
    mean = sum(c["mean"] * c["viewers"] for c in classes) / overall["viewers"]
    if abs(mean - overall["mean"]) > 1e-3:
        yield "the mean is not that of the classes"
    for figures in [overall, *classes]:
        if not 0 <= figures["p1"] <= figures["median"] <= 1:
            yield f"no shares: {figures}"
    if run["audience"]["joined"] < run["viewers"]:
        yield f"only {run['audience']['joined']} came"
    edges = run["edges"]
    if edges["used_at_end"] > edges["at_end"]:
        yield "more edges are used than there are"
    if run["join_ms"]["p50"] > run["join_ms"]["p95"] or run["delay_ms"]["p50"] > run["delay_ms"]["p99"]:
        yield "quantiles are not in order"
    for name in SERIES:
        seconds = len(run["timeline"][name])
        if abs(seconds - run["seconds"]) > 1:
            yield f"the timeline of {name} has {seconds} seconds"
    if max(run["timeline"]["viewers"]) > run["audience"]["joined"]:
        yield "more watch than have come"


def promised(run, long):
    """What the scenario promised."""
    promise = run["promise"]
    continuity = run["continuity"]
    after = continuity["minute_after_event"]

    def least(what, seen, bound):
        if bound is not None and (seen is None or seen < bound):
            yield f"{what} is {seen}, promised at least {bound}"

    def most(what, seen, bound):
        if bound is not None and (seen is None or seen > bound):
            yield f"{what} is {seen}, promised at most {bound}"

    yield from least("continuity", continuity["overall"]["mean"], promise["continuity_min"])
    yield from least("continuity after the event", after and after["mean"],
                     promise["continuity_after_min"])
    yield from most("p95 of joins (ms)", run["join_ms"]["p95"], promise["join_ms_p95_max"])
    yield from most("depth beside the optimum", run["depth"]["ratio"],
                    promise["depth_ratio_max"])
    refused = 1_000 * run["audience"]["refused"] / run["audience"]["joined"]
    yield from most("refused (permille)", refused, promise["refused_permille_max"])
    used = run["edges"]["used_share_at_ask_min"]
    if used is not None:
        yield from least("share of edges in use when somebody was asked", used,
                         promise["used_share_at_ask_min"])
    sponsor, rider = (continuity["by_class"][name] for name in ("sponsor", "free_rider"))
    if sponsor and rider:
        yield from least("sponsors' median over free riders'",
                         sponsor["median"] - rider["median"],
                         promise["sponsor_over_free_rider_min"])
    if long and (run["viewers"] < 10_000 or run["seconds"] < 120):
        yield "this is not the large run"


def summary(run):
    """One line for the log of the step."""
    continuity = run["continuity"]
    after = continuity["minute_after_event"]
    parts = [
        f"{run['scenario']} {run['stripes']} {run['viewers']} viewers {run['seconds']} s "
        f"seed {run['seed']}: continuity {continuity['overall']['mean']:.4f}",
        f"after the event {after['mean']:.4f}" if after else None,
        f"join p95 {run['join_ms']['p95']} ms",
        f"gap p99 {run['longest_gap_ms']['p99']} ms",
        f"depth {run['depth']['ratio']:.2f} x optimum",
        f"at rest {run['depth']['at_rest']['ratio'] or 0:.2f} x",
        f"{run['control']['bytes_per_viewer_s']:.0f} control bytes/s a viewer",
        f"{run['wall_s']:.0f} s",
    ]
    return ", ".join(part for part in parts if part)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--is-of", metavar="COMMIT")
    parser.add_argument("result", type=Path)
    arguments = parser.parse_args()
    if arguments.is_of:
        there = arguments.result.is_file()
        of = json.loads(arguments.result.read_text())["commit"] if there else None
        sys.exit(of != arguments.is_of)
    run = json.loads(arguments.result.read_text())
    print("seen:", summary(run))
    wrong = [*shape(run), *agrees(run), *promised(run, arguments.long)]
    for line in wrong:
        print(f"{arguments.result.name}: {line}", file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
