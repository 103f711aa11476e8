"""Holds the documents to the tree: every command, path, link and test they name.

A command stands in a fenced `console` block (after `$ `) or `sh` block. Each
must have an entry in documents.toml that says what runs it:
  run = "exit code"       it is run here, from the root of the clone
  step = "name"           a step of tests/run runs it; `holds` is the text by
                          which the step's source (or `file`) shows that
Entries for commands that no document has are refused too.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(ROOT.glob("*.md"))
# Those of single folders: what they name is looked for beside them, too.
INNER = sorted(ROOT / name for name in subprocess.run(
    ["git", "ls-files", "*/*.md"], cwd=ROOT, check=True,
    capture_output=True, text=True).stdout.splitlines())
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)")
FOLDERS = "attest|certs|desk|overlay|peer|relay-vm|tests|threat-model|wire|\\.ci|\\.cargo"
PATH = re.compile(rf"^(?:{FOLDERS})(?:/[\w.-]*)+$|^[\w-]+\.(?:md|toml|svg)$")
TEST = re.compile(r"^((?:[\w-]+/)*[\w.-]+\.\w+)::(\w+)$")
RUN_SECONDS = 120


def commands(text):
    """The commands of one document, continuation lines joined."""
    for language, body in FENCE.findall(text):
        body = body.replace("\\\n", "")
        if language == "console":
            for line in body.splitlines():
                if line.startswith("$ "):
                    yield " ".join(line[2:].split())
        elif language == "sh":
            for line in body.splitlines():
                if line.strip() and not line.lstrip().startswith("#"):
                    yield " ".join(line.split())


def check_step(command, entry, steps):
    """A step of tests/run is said to run this command."""
    if entry["step"] not in steps:
        return f"{command}: tests/run has no step {entry['step']}"
    files = [ROOT / entry["file"]] if "file" in entry else [ROOT / "tests/run", *(ROOT / "tests/steps").glob("*.sh")]
    for file in files:
        if not file.is_file():
            return f"{command}: {file.relative_to(ROOT)} does not exist"
        if entry["holds"] in file.read_text(encoding="utf-8"):
            return None
    return f"{command}: step {entry['step']} does not hold {entry['holds']!r}"


def check_run(command, entry):
    """Runs a command and compares the exit code."""
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, timeout=RUN_SECONDS,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != int(entry["run"]):
        return f"{command}: exit {done.returncode}, not {entry['run']}: {done.stderr[-400:]}"
    return None


def check_commands():
    """Every command is run by something, and every entry is needed."""
    table = tomllib.loads((ROOT / "tests/checks/documents.toml").read_text(encoding="utf-8"))
    entries = {" ".join(e["command"].split()): e for e in table["command"]}
    listed = subprocess.run(["bash", "tests/run", "--list"], cwd=ROOT, check=True,
                            capture_output=True, text=True).stdout
    steps = {line.split()[0] for line in listed.splitlines() if line.strip()}
    seen = set()
    for document in DOCUMENTS:
        for command in commands(document.read_text(encoding="utf-8")):
            seen.add(command)
            entry = entries.get(command)
            if entry is None:
                yield f"{document.name}: nothing runs the command: {command}"
    for command, entry in entries.items():
        if command not in seen:
            yield f"documents.toml: no document has the command: {command}"
        problem = check_step(command, entry, steps) if "step" in entry else check_run(command, entry)
        if problem:
            yield problem


def check_names():
    """Every path, link and test that a document names exists."""
    for document in [*DOCUMENTS, *INNER]:
        def found(name, beside=document.parent):
            return (ROOT / name).exists() or (beside / name).exists()

        text = FENCE.sub("", document.read_text(encoding="utf-8"))
        for target in LINK.findall(text):
            if not found(target):
                yield f"{document.name}: the link {target} leads nowhere"
        for code in CODE.findall(text):
            test = TEST.match(code)
            if test:
                file = ROOT / test[1]
                if not file.is_file():
                    yield f"{document.name}: {test[1]} does not exist"
                elif not re.search(rf"\b{test[2]}\b", file.read_text(encoding="utf-8")):
                    yield f"{document.name}: {test[1]} has no {test[2]}"
            elif PATH.match(code) and not found(code):
                yield f"{document.name}: `{code}` does not exist"


def main():
    """Runs every check."""
    problems = [*check_names(), *check_commands()]
    for problem in problems:
        print(problem)
    print(f"seen: {len(DOCUMENTS) + len(INNER)} documents, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
