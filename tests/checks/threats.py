"""Checks threat-model's JSON report: no empty cell for a threat that is shown."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHOWN = set("A3 A8 A9 B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B13 B14 C2 C7 C8 C9 D1 D2 D3 D4 D5 D6 D7 D8 D9 D10 D11 "
            "E1 E2 E3 E4 E5 E6 E7 F1 F2 F3 F4 F5 G1 G2 G3".split())
# The catalogue's identifiers.
ALL = {f"{letter}{n}" for letter, last in
       {"A": 10, "B": 15, "C": 9, "D": 11, "E": 7, "F": 6, "G": 4}.items()
       for n in range(1, last + 1)}


def problems(report):
    """Every way in which the report is incomplete."""
    threats = {threat["id"]: threat for threat in report["threats"]}
    if len(threats) != len(report["threats"]):
        yield "an identifier occurs twice"
    for missing in sorted(ALL - set(threats)):
        yield f"{missing} is not in the report"
    for unknown in sorted(set(threats) - ALL):
        yield f"{unknown} is not in the catalogue"
    for name, threat in sorted(threats.items()):
        if threat["status"] not in {"shown", "planned"}:
            yield f"{name}: status {threat['status']!r}"
        if name in SHOWN and threat["status"] != "shown":
            yield f"{name} is not shown"
        if threat["status"] != "shown":
            continue
        if not threat["control"]:
            yield f"{name} names no control"
        for control in threat["control"]:
            file = ROOT / control["file"]
            item = control["item"].split("::")[-1]
            if not file.is_file() or item not in file.read_text(encoding="utf-8"):
                yield f"{name}: control {control['file']} {control['item']} does not exist"
        for side, cells in {"stopped": ["test", "result", "reason"],
                            "ablated": ["test", "result", "damage"]}.items():
            for cell in cells:
                if not threat[side].get(cell):
                    yield f"{name}: {side}.{cell} is empty"
        if threat["stopped"].get("result") != "passed":
            yield f"{name}: stopped is {threat['stopped'].get('result')!r}"
        if threat["ablated"].get("result") != "passed":
            yield f"{name}: ablated is {threat['ablated'].get('result')!r}"
        for way in threat["variants"]:
            results = {way[side]["result"] for side in ("stopped", "ablated")}
            if results != {"passed"}:
                yield f"{name}: variant {way['name']!r} is {sorted(results)}"
        if not threat["residual"]:
            yield f"{name}: the residual risk is not named"


def main():
    """Prints the problems of the report in the file of the first argument."""
    report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    found = list(problems(report))
    for problem in found:
        print(problem)
    shown = sum(1 for threat in report["threats"] if threat["status"] == "shown")
    print(f"seen: {shown} threats shown, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
