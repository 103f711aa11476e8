"""Judges the evidence that a viewer saved, with the network off, as somebody
does who was not there: `roundcast verify --archived` as text and as JSON, by
whom he believes, and with bytes changed.

Usage: offline.py ROUNDCAST FOLDER KIND TRUST... ; FOLDER has `root.json` and
`*.evidence.json`, KIND is the evidence's, TRUST are the options that accept it.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

# A namespace of its own: not even a loopback interface is up.
OFFLINE = ["unshare", "--user", "--map-root-user", "--net"]
# Changed bytes per file; each takes a process.
CHANGES = 40


class Verifier:
    """The program, with the developer's root and an empty data folder."""

    def __init__(self, program, root, data):
        self.words = [*OFFLINE, str(program), "verify", "--archived",
                      "--data", data, "--trust-root", str(root)]

    def text(self, path, trust):
        """Exit code and standard output."""
        done = subprocess.run([*self.words, *trust, str(path)], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=30, check=False)
        return done.returncode, done.stdout.decode()

    def json(self, path, trust):
        """Exit code and the explanation."""
        code, out = self.text(path, ["--json", *trust])
        return code, json.loads(out) if out else {}


def good(verifier, path, kind, trust):
    """Whom the viewer believed, is believed."""
    code, text = verifier.text(path, trust)
    # Behind the banner that says whose word is taken.
    if code != 0 or "\nevidence: was good at its own time\n" not in text:
        yield f"exit {code}, and as text:\n{text}"
    code, verdict = verifier.json(path, trust)
    found = (code, verdict.get("schema"), verdict.get("status"), verdict.get("reason"),
             verdict.get("subject", {}).get("judged"), verdict.get("subject", {}).get("evidence"))
    if found != (0, "roundcast.explanation/1", "verified", None, "archived", kind):
        yield f"as JSON: {found}"
    passed = [s["check"] for s in verdict.get("steps", []) if s["result"] == "passed"]
    for check in ("release_signature", "platform", "boot", "live_binding"):
        if check not in passed:
            yield f"{check} was not checked"


def refused(verifier, path, trust, scratch):
    """Whom nobody believes is refused, and so is every changed byte."""
    code, verdict = verifier.json(path, [])
    if (code, verdict.get("reason")) != (3, "assurance_not_accepted"):
        yield f"believed by nobody, but: exit {code}, {verdict.get('reason')}"
    genuine = path.read_bytes()
    # The saver's clock is the one value that nobody signed.
    begin = genuine.index(b'"saved_ms":')
    end = genuine.index(b",", begin)
    places = [n * len(genuine) // CHANGES for n in range(CHANGES)]
    for position in (p for p in places if not begin <= p < end):
        changed = bytearray(genuine)
        changed[position] ^= 1
        scratch.write_bytes(changed)
        code, text = verifier.text(scratch, trust)
        if code not in (2, 3, 4):
            yield f"byte {position} changed: exit {code}\n{text}"


def main():
    """Prints what is wrong."""
    program, folder, kind, *trust = sys.argv[1:]
    routes = subprocess.run([*OFFLINE, "cat", "/proc/net/route"], capture_output=True, check=True)
    problems = [] if routes.stdout.count(b"\n") <= 1 else ["the network is not off"]
    files = sorted(Path(folder).glob("*.evidence.json"))
    if not files:
        problems.append(f"no evidence in {folder}")
    with tempfile.TemporaryDirectory() as scratch:
        verifier = Verifier(program, Path(folder) / "root.json", f"{scratch}/data")
        for path in files:
            found = [*good(verifier, path, kind, trust),
                     *refused(verifier, path, trust, Path(scratch) / "changed.json")]
            problems += [f"{path.name}: {problem}" for problem in found]
    for problem in problems:
        print(problem)
    print(f"seen: {len(files)} files of evidence {kind} judged offline, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
