"""Writes the corpus that a fuzz target starts from: seeds.py TARGET FOLDER."""

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Ways into fuzz_targets/attest.rs.
EVIDENCE, CERTIFICATE, RELEASE = 0, 2, 4
# Why a file is nobody's release.
NO_RELEASE = ("release_malformed", "release_signature_invalid")


def wire():
    """The frozen samples of every type and message, and an invite."""
    for file in sorted((ROOT / "wire/vectors").glob("messages-*.txt")):
        for line in file.read_text(encoding="utf-8").splitlines():
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


def stored(name):
    """The cases of a set of our own making."""
    return json.loads((ROOT / "attest/vectors" / name).read_text(encoding="utf-8"))["cases"]


def attest():
    """The ways into the target, certificates, their evidence, and releases."""
    yield from altered(7)
    for case in stored("appraisal.json"):
        der = bytes.fromhex(case["certificate"])
        yield "certificate-" + slug(case["name"]), bytes([CERTIFICATE]) + der
        for extension in evidence(der):
            yield "evidence-" + slug(case["name"]), bytes([EVIDENCE]) + extension
    for case in stored("releases.json"):
        # Those of the set's developer are genuine to the target too: one that
        # is not the target's own would be found as altered and accepted.
        if case["is"] == "release" and case["reason"] in NO_RELEASE:
            yield "release-" + slug(case["name"]), bytes([RELEASE]) + case["file"].encode()


def evidence(der):
    """The extension id-pe-cmw (RFC 9999) of a certificate, if it has one:
    after it an OCTET STRING with a four-byte head."""
    _, _, rest = der.partition(bytes.fromhex("06082b06010505070123"))
    if rest[:2] == b"\x04\x82":
        yield rest[4 : 4 + int.from_bytes(rest[2:4], "big")]


def real():
    """The folder of other projects' documents. Where there is none, that is
    said; in CI it is a failure."""
    shared = Path(os.environ.get("ROUNDCAST_VECTORS") or ROOT.parent / "shared/vectors")
    if shared.is_dir():
        return shared
    if os.environ.get("CI"):
        sys.exit(f"seeds: real documents missing at {shared}")
    print(f"not run: seeds of real documents, none at {shared}")
    return None


def platforms():
    """The ways into the target, the sets of our own making, and, where they
    are at hand, real documents of other projects."""
    yield from altered(7)
    for case in stored("clouds.json"):
        yield "cloud-" + slug(case["name"]), bytes([6]) + case["file"].encode()
    for case in stored("nitro.json"):
        yield "nitro-" + slug(case["name"]), bytes([4]) + bytes.fromhex(case["document"])
    for case in stored("tpm2.json"):
        for extension in evidence(bytes.fromhex(case["certificate"])):
            yield "tpm2-" + slug(case["name"]), bytes([2]) + extension
    shared = real()
    if shared is None:
        return
    for path in [*shared.glob("*/*.bin"), *shared.glob("*/*.cbor")]:
        yield f"real-{path.stem}", bytes([4]) + path.read_bytes()
    for path in shared.glob("*/test-*-fixture.json"):
        fixture = json.loads(path.read_text(encoding="utf-8"))
        for quote in fixture["attestation"]["tpm"].values():
            yield f"real-{path.stem}", bytes([0]) + bytes.fromhex(quote["attest_data"])


def slug(name):
    """A name as a file's."""
    return "".join(c if c.isalnum() else "-" for c in name)


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
             "attest": attest, "platforms": platforms,
             "tpm": lambda: altered(6), "media": media}[target]()
    for name, data in seeds:
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
