"""What the tree of this project must look like; see ARCHITECTURE.md.

Prints every violation and exits 1 if there is one.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINES_MAX = 600
FOLDERS = {
    ".cargo", ".ci", "attest", "certs", "desk", "overlay", "peer", "relay-vm",
    "tests", "threat-model", "wire",
}
CODE = {".rs", ".py", ".sh", ".js", ".mjs", ".css", ".html", ".toml"}
# Packages that may use no clock, socket, file, thread or environment.
PURE = ["wire", "certs", "attest", "overlay", "peer/media", "desk/voucher", "relay-vm/image/boot"]
BANNED = [
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::thread::spawn",
    "std::thread::sleep",
    "std::process::Command::new",
    "std::env::var",
    "std::env::var_os",
    "std::io::stdin",
    "std::fs::read",
    "std::fs::read_to_string",
    "std::fs::write",
    "std::fs::File::open",
    "std::fs::File::create",
    "std::fs::OpenOptions::open",
    "std::net::UdpSocket::bind",
    "std::net::TcpListener::bind",
    "std::net::TcpStream::connect",
]
# Who may use whom, among the packages of this workspace.
USES = {
    "wire": set(),
    "certs": {"wire"},
    "attest": {"certs", "wire"},
    "tpm": {"attest"},
    "overlay": {"certs", "wire"},
    "link": {"attest", "certs", "overlay", "wire"},
    "media": set(),
    "page": {"wire"},
    "voucher": {"certs", "wire"},
    "relay-vm": {"attest", "certs", "link", "overlay", "tpm", "wire"},
    "boot": set(),
    "image": {"attest", "boot", "certs", "wire"},
    "probe": set(),
    "desk": {"attest", "certs", "voucher", "wire"},
    "peer": {"attest", "certs", "link", "media", "overlay", "page", "voucher", "wire"},
}
# Packages whose `ablation` feature turns on no other one: each says for itself
# whether it is on.
ABLATED = {"wire": "wire", "certs": "certs", "media": "peer/media", "page": "peer/page"}
UNFINISHED = re.compile(r"\btodo!\(|\bunimplemented!\(|\b(?:TODO|FIXME|XXX)\b|#\[ignore")
PLACES = re.compile(r"/(?:root|home/\w+)/")


def tracked():
    """The files of the project, new ones included."""
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [Path(name) for name in names.split("\0") if name and (ROOT / name).is_file()]


def shape(files):
    """Folders, lengths, and words that may not stand in a finished file."""
    for file in files:
        top = file.parts[0]
        if len(file.parts) > 1 and top not in FOLDERS:
            yield f"{file}: the top-level folder {top} is not part of the design"
        if file.suffix not in CODE and file.name not in {"run", "README.md"}:
            continue
        text = (ROOT / file).read_text(encoding="utf-8")
        lines = text.count("\n") + 1
        # A list, such as the catalogue of threats, may be as long as it is.
        if lines > LINES_MAX and file.suffix != ".toml":
            yield f"{file}: {lines} lines, over {LINES_MAX}: split it by idea"
        if file == Path("tests/checks/structure.py"):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if UNFINISHED.search(line):
                yield f"{file}:{number}: unfinished by its own words"
            if PLACES.search(line):
                yield f"{file}:{number}: names a place that is not the project's"


def purity():
    """Every pure package bans the calls; every clippy.toml keeps functions short."""
    for package in PURE:
        path = ROOT / package / "clippy.toml"
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        for call in BANNED:
            if f'"{call}"' not in text:
                yield f"{package}/clippy.toml does not ban {call}"
    for path in ROOT.glob("**/clippy.toml"):
        if "target" in path.parts:
            continue
        if "too-many-lines-threshold = 70" not in path.read_text(encoding="utf-8"):
            yield f"{path.relative_to(ROOT)}: no `too-many-lines-threshold = 70`"


def packages():
    """Dependencies point the way of the design; every package has the lints."""
    output = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"],
        cwd=ROOT, check=True, capture_output=True, text=True).stdout
    metadata = json.loads(output)
    names = {package["name"] for package in metadata["packages"]}
    for package in metadata["packages"]:
        name = package["name"]
        used = {d["name"] for d in package["dependencies"] if d["name"] in names and d["kind"] != "dev"}
        if name in {"tests", "threat-model"}:
            continue
        if name not in USES:
            yield f"package {name} is not part of the design"
            continue
        for other in sorted(used - USES[name]):
            yield f"{name} uses {other}, against the design"
        for other in sorted({d["name"] for d in package["dependencies"]} & {"tests", "threat-model"}):
            yield f"{name} uses {other}: nothing may"
    for package in metadata["packages"]:
        manifest = Path(package["manifest_path"]).read_text(encoding="utf-8")
        if not re.search(r"\[lints\]\s+workspace = true", manifest):
            yield f"{package['name']}: its manifest does not take the workspace's lints"
    defaults = set(metadata["workspace_default_members"])
    for package in metadata["packages"]:
        if (package["id"] in defaults) == (package["name"] == "threat-model"):
            yield f"{package['name']}: all but threat-model are default members"


def sources(folder):
    """The text of a package's own files, by file."""
    return {p.relative_to(ROOT): p.read_text(encoding="utf-8")
            for p in sorted((ROOT / folder / "src").rglob("*.rs"))}


def used(name):
    """A package and all that it uses, by the design."""
    return {name}.union(*(used(other) for other in USES[name]))


def mains():
    """Each shipped program refuses to be built with a control that can be taken out."""
    says = {name for name, folder in ABLATED.items()
            if "pub const ABLATION: bool" in "".join(sources(folder).values())}
    if says != set(ABLATED):
        yield f"{sorted(set(ABLATED) - says)}: no `pub const ABLATION`"
    for name, folder in {"peer": "peer", "relay-vm": "relay-vm", "image": "relay-vm/image",
                         "desk": "desk"}.items():
        text = "".join(sources(folder).values())
        for crate in sorted(used(name) & set(ABLATED)):
            if not re.search(rf"const _: \(\) = assert!\(\s*!{crate}::ABLATION", text):
                yield f"{folder}: no `const _: () = assert!(!{crate}::ABLATION)` in its program"


def markers():
    """Whatever takes a control out passes through the marker that is searched for."""
    texts = set()
    for file in tracked():
        if file.suffix != ".rs" or "src" not in file.parts or file.parts[0] in {"threat-model", "tests"}:
            continue
        text = (ROOT / file).read_text(encoding="utf-8")
        texts |= set(re.findall(r'const MARKER: &str = "([^"]+)"', text))
        for found in re.finditer(r"^( *)(?:pub(?:\([a-z]+\))? )?(?:const )?(?:async )?fn (dangerously_\w+).*?^\1\}",
                                 text, re.DOTALL | re.MULTILINE):
            # What is there for a package's own tests is in no program.
            attributes = re.search(r"(?:^ *(?:#\[|///).*\n)*\Z", text[:found.start()], re.MULTILINE).group(0)
            if "#[cfg(test)]" not in attributes and "marker()" not in found.group(0):
                yield f"{file}: {found.group(2)} does not pass through the marker"
    searched = (ROOT / "tests/steps/rust.sh").read_text(encoding="utf-8")
    if texts != set(re.findall(r"^MARKER=(\S+)$", searched, re.MULTILINE)):
        yield f"the markers {sorted(texts)} are not the one that tests/steps/rust.sh searches for"


def main():
    """Runs every check."""
    problems = [*shape(tracked()), *purity(), *packages(), *mains(), *markers()]
    for problem in problems:
        print(problem)
    print(f"seen: {len(tracked())} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
