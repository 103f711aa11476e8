"""Checks the JSON of one `cargo demo` from outside: its schema, its story,
and, from the kept files, that every viewer got what was published.

Usage: evening.py SCHEMA RESULT --media DIR --exit-code N
       (--expect STORY | --attack NAME --reason REASON)
"""

import argparse
import json
import re
import sys
from pathlib import Path

import jsonschema

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from world.media import compare  # noqa: E402


# A sponsor's relay, or the attacker's own.
RELAY = re.compile(r"[RX]\d+$")


def ordered(events):
    """Events are numbered in order of time, from 0 up."""
    last = -1
    for position, event in enumerate(events):
        if event["seq"] != position:
            yield f"event {position} has seq {event['seq']}"
            break
        if event["at_ms"] < last:
            yield f"event {event['seq']} is earlier than the one before"
        last = event["at_ms"]


def watched(result):
    """Every viewer that was let in saw everything, unaltered."""
    viewers = [v for v in result["viewers"] if v["chunks_due"] > 0]
    if not viewers:
        yield "nobody watched"
    for viewer in viewers:
        name = viewer["name"]
        if not viewer["media_identical"]:
            yield f"{name}: the media differ from what was published"
        if viewer["chunks_verified"] != viewer["chunks_due"]:
            yield f"{name}: {viewer['chunks_verified']} of {viewer['chunks_due']} chunks"
        if not viewer["path"]:
            yield f"{name} has no path"


def verified_first(events):
    """Nobody takes a first chunk from a relay that he has not verified."""
    verified = set()
    for event in events:
        if event["kind"] == "relay_verified":
            verified.add((event["who"], event["relay"]))
        source = {"first_chunk": "from", "reparented": "to"}.get(event["kind"])
        if not source or not RELAY.match(event[source]):
            continue
        if (event["who"], event[source]) not in verified:
            yield f"{event['who']} took from {event[source]} before verifying it"


def exits(result):
    """Every process ended as it should."""
    for name, code in result["exit_codes"].items():
        if code["got"] != code["expected"]:
            yield f"{name}: exit {code['got']}, expected {code['expected']}"


def first(events, **fields):
    """Position of the first event that has these fields, or None."""
    for event in events:
        if all(event.get(key) == value for key, value in fields.items()):
            return event["seq"]
    return None


def told(events, steps):
    """The steps happen, in this order."""
    at = -1
    for step in steps:
        found = [e["seq"] for e in events if e["seq"] > at
                 and all(e.get(k) == v for k, v in step.items())]
        if not found:
            yield f"missing, or too early: {step}"
            return
        at = found[0]


RELAY_STORY = [
    {"kind": "capacity_short"},
    {"kind": "sponsor_asked", "who": "D", "cause": "join"},
    {"kind": "sponsor_declined", "who": "D"},
    {"kind": "sponsor_declined", "who": "A"},
    {"kind": "sponsor_timed_out", "who": "C"},
    {"kind": "sponsor_asked", "who": "B", "cause": "join", "step": "inner"},
    {"kind": "sponsor_accepted", "who": "B"},
    {"kind": "sponsor_granted", "who": "B"},
    {"kind": "voucher_redeemed", "who": "B"},
    {"kind": "relay_started", "relay": "R1"},
    {"kind": "relay_admitted", "relay": "R1", "parent": "S"},
    {"kind": "first_chunk", "who": "D", "from": "R1"},
    {"kind": "first_chunk", "who": "E", "from": "R1"},
    {"kind": "relay_lost", "relay": "R1"},
    {"kind": "sponsor_asked", "who": "D", "cause": "leave"},
    {"kind": "sponsor_accepted", "who": "D"},
    {"kind": "voucher_redeemed", "who": "D"},
    {"kind": "relay_started", "relay": "R2"},
    {"kind": "relay_admitted", "relay": "R2", "parent": "S"},
    {"kind": "reparented", "to": "R2"},
]

# Each viewer's way to the station at the end, from its parent up.
PATHS = {
    "A": ["R2", "S"],
    "B": ["S"],
    "C": ["B", "S"],
    "D": ["R2", "S"],
    "E": ["R2", "S"],
}


def relay(result, evidence=("software", "development")):
    """The evening of the paper's figure 1, and the death of its relay."""
    events = result["events"]
    yield from told(events, RELAY_STORY)
    for viewer in ("A", "D", "E"):
        if first(events, kind="reparented", who=viewer, to="R2") is None:
            yield f"{viewer} does not hang under R2 at the end"
    for parents in ({"from": "S", "to": "R1"}, {"from": "R1", "to": "S"}):
        if first(events, kind="reparented", who="B", **parents) is None:
            yield f"B did not move from {parents['from']} to {parents['to']}"
    # Of who is missing nothing would be asked.
    viewers = sorted(viewer["name"] for viewer in result["viewers"])
    relays = sorted(entry["relay"] for entry in result["relays"])
    if viewers != sorted(PATHS) or relays != ["R1", "R2"]:
        yield f"told of are the viewers {viewers} and the relays {relays}"
    for viewer in result["viewers"]:
        yield from ways(viewer)
    yield from priced(events)
    for kind in ("join_refused_no_capacity", "attack_refused"):
        if first(events, kind=kind) is not None:
            yield f"an event {kind} where there was none to be"
    for entry in result["relays"]:
        if (entry["evidence"], entry["assurance"]) != evidence:
            yield f"{entry['relay']}: {entry['evidence']}, {entry['assurance']}"
    yield from (f"{v['name']}: rejected blocks" for v in result["viewers"] if v["chunks_rejected"])


def ways(viewer):
    """A viewer's ways to the station at the end: of one tree, that of the
    story; of several, each stripe has one, and the story's parent is in it."""
    name, paths = viewer["name"], viewer["paths"]
    stripes = sorted(stripe for path in paths for stripe in path["stripes"])
    if stripes != list(range(len(stripes))) or not stripes:
        yield f"{name} has ways for the stripes {stripes}"
    told = [[hop["name"] for hop in path["hops"]] for path in paths]
    for path in told:
        if path[-1:] != ["S"]:
            yield f"{name} ends on a path that is none: {' -> '.join(path)}"
    wanted = PATHS[name]
    if len(stripes) == 1 and told != [wanted]:
        yield f"{name} ends on the path {' -> '.join(told[0])}"
    if wanted[0] != "S" and not any(path[:1] == wanted[:1] for path in told):
        yield f"{name} gets no stripe from {wanted[0]}: {told}"


def priced(events):
    """Whoever is asked is told the price of his own desk, unless another one's
    yes came before that price did."""
    withdrawn = {(event["who"], event["ask"]) for event in events
                 if event["kind"] == "sponsor_not_needed"}
    for event in events:
        if event["kind"] == "sponsor_asked" and not (
                event["price_minor"] and event["currency"]) and (
                event["who"], event["ask"]) not in withdrawn:
            yield f"{event['who']} was asked without a price"


def machine(result):
    """The same with relays that booted measured, believed by name."""
    yield from relay(result, ("tpm2", "operator"))


def disbelieved(result):
    """A relay of a kind that nobody chose to believe never gets a place."""
    events = result["events"]
    refusal = {"kind": "attack_refused", "who": "B", "reason": "assurance_not_accepted"}
    yield from told(events, [{"kind": "relay_started", "relay": "R1"}, refusal])
    if first(events, kind="relay_admitted") is not None or result["relays"]:
        yield "a relay that nobody believes was admitted"
    yield from turned_away(result)


def doubted(result):
    """A relay that station and sponsor believe: each other viewer refuses it
    for himself, by name, and takes nothing from it."""
    events = result["events"]
    yield from told(events, [
        {"kind": "sponsor_granted", "who": "B"},
        {"kind": "relay_started", "relay": "R1"},
        {"kind": "relay_admitted", "relay": "R1", "parent": "S"},
    ])
    believers = {e["who"] for e in events if e["kind"] == "relay_verified"}
    if believers != {"B", "S"}:
        yield f"R1 was verified by {sorted(believers)}"
    for viewer in ("A", "C", "D", "E"):
        yield from told(events, [
            {"kind": "relay_admitted", "relay": "R1"},
            {"kind": "attack_refused", "who": viewer, "reason": "assurance_not_accepted"},
            {"kind": "join_refused_no_capacity", "who": viewer},
        ])
        if first(events, kind="first_chunk", who=viewer) is not None:
            yield f"{viewer} watched"
        if result["exit_codes"][viewer]["got"] != 1:
            yield f"{viewer}: exit {result['exit_codes'][viewer]['got']}, not 1"
    paths = {v["name"]: [hop["name"] for hop in v["path"]] for v in result["viewers"]}
    if paths.get("B") != ["R1", "S"]:
        yield f"B ends on the path {paths.get('B')}"


def no_cloud(result):
    """Without a desk, D and E are refused by name and the rest watch on."""
    if result["relays"] or first(result["events"], kind="voucher_redeemed") is not None:
        yield "a relay without a cloud"
    yield from turned_away(result)


def turned_away(result):
    """D and E find no place; A, B and C watch."""
    events = result["events"]
    for viewer in ("D", "E"):
        if first(events, kind="join_refused_no_capacity", who=viewer) is None:
            yield f"{viewer} was not refused"
        if result["exit_codes"][viewer]["got"] != 1:
            yield f"{viewer}: exit {result['exit_codes'][viewer]['got']}, not 1"
    for viewer in ("A", "B", "C"):
        if first(events, kind="first_chunk", who=viewer) is None:
            yield f"{viewer} did not watch"


def refused(result, attack, reason):
    """The attack was made and stopped for its reason."""
    refusals = [e for e in result["events"] if e["kind"] == "attack_refused"]
    if not refusals:
        yield f"{attack}: nobody refused anything"
    for event in refusals:
        if event["attack"] != attack or event["reason"] != reason:
            yield f"{attack}: refused as {event['attack']}, {event['reason']}"


def kept(folder, result):
    """The kept files: what each viewer got is a run of what was published."""
    published = (folder / "published.mp4").read_bytes()
    for viewer in result["viewers"]:
        if viewer["chunks_due"] == 0:
            continue
        problem = compare(published, (folder / f"{viewer['name']}.mp4").read_bytes())
        if problem:
            yield f"{viewer['name']}: {problem}"


STORIES = {
    "relay": relay,
    "machine": machine,
    "disbelieved": disbelieved,
    "doubted": doubted,
    "no-cloud": no_cloud,
}


def main():
    """Prints the problems and exits 1 if there is one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("schema")
    parser.add_argument("result")
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--exit-code", type=int, required=True)
    parser.add_argument("--expect", choices=sorted(STORIES))
    parser.add_argument("--attack")
    parser.add_argument("--reason")
    options = parser.parse_args()
    schema = json.loads(Path(options.schema).read_text(encoding="utf-8"))
    text = Path(options.result).read_text(encoding="utf-8")
    try:
        result = json.loads(text)
    except json.JSONDecodeError as error:
        print(f"the output is not one JSON object: {error}; it begins {text[:200]!r}")
        return 1
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    found = [f"schema: {'/'.join(map(str, e.absolute_path))}: {e.message[:300]}"
             for e in validator(schema).iter_errors(result)]
    if not found:
        found += [*ordered(result["events"]), *watched(result), *exits(result),
                  *verified_first(result["events"]), *kept(options.media, result)]
        found += STORIES.get(options.expect, lambda _: [])(result)
        if options.attack:
            found += refused(result, options.attack, options.reason)
        if not result["ok"]:
            found += [f"the demo's own word: {problem}" for problem in result["problems"]]
            found.append("ok is false")
    if options.exit_code != 0:
        found.append(f"the demo exited with {options.exit_code}")
    for problem in found:
        print(problem)
    print(f"seen: {len(result.get('events', []))} events, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
