"""Writes the corpus that a fuzz target starts from: seeds.py TARGET FOLDER."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def wire():
    """The frozen samples of every type and message, and an invite."""
    for line in (ROOT / "wire/vectors/messages.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, text = line.split(" ")
            yield name.replace("::", "-"), bytes.fromhex(text)
    key = "A" * 43
    yield "invite", f"roundcast:v1/{key}?s={key}&a=192.0.2.1:4433&a=[2001:db8::1]:4433".encode()


def altered(kinds):
    """Each way into a target, with no edit, one edit, and some bytes."""
    for kind in range(kinds):
        yield f"kind-{kind}-plain", bytes([kind])
        yield f"kind-{kind}-edit", bytes([kind, 1, 0, 40, 1])
        yield f"kind-{kind}-der", bytes([kind]) + bytes.fromhex("3006020100020100")
        yield f"kind-{kind}-json", bytes([kind]) + b'{"payloadType":"","payload":"","signatures":[]}'


def media():
    """The demo's clip to the end of its first fragments, cut in several ways."""
    clip = (ROOT / "tests/media/clip.mp4").read_bytes()
    for cut in (1, 13, 255):
        yield f"clip-{cut}", bytes([cut]) + clip[:60_000]
    yield "boxes", bytes([7]) + bytes.fromhex("0000001c66747970") + b"iso5" + bytes(16)


def main():
    """Writes the seeds of one target."""
    target, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    seeds = {"wire": wire, "certs": lambda: altered(4),
             "attest": lambda: altered(7), "tpm": lambda: altered(6), "media": media}[target]()
    for name, data in seeds:
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
