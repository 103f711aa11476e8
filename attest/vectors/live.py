"""The live challenge's leaf and batch, from the specification alone."""

import hashlib
import json


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def varint(value: int) -> bytes:
    """RFC 9000 section 16, for the lengths used here (under 16384)."""
    if value < 0x40:
        return bytes([value])
    return (0x4000 | value).to_bytes(2, "big")


def leaf(side: str, *fields: bytes) -> bytes:
    parts = [b"roundcast/attest-live/v1", side.encode(), *fields]
    return sha256(b"\x00", *(varint(len(p)) + p for p in parts))


def root(nodes: list[bytes]) -> bytes:
    """The largest power of two under the count goes left (RFC 6962), which
    is the same tree as promoting an odd node."""
    if len(nodes) == 1:
        return nodes[0]
    split = 1
    while split * 2 < len(nodes):
        split *= 2
    return sha256(b"\x01", root(nodes[:split]), root(nodes[split:]))


def path(nodes: list[bytes], index: int) -> list[bytes]:
    if len(nodes) == 1:
        return []
    split = 1
    while split * 2 < len(nodes):
        split *= 2
    if index < split:
        return path(nodes[:split], index) + [root(nodes[split:])]
    return path(nodes[split:], index - split) + [root(nodes[:split])]


def case(count: int) -> dict:
    sides = ["server", "client"]
    names = ["nonce", "exporter", "attester", "verifier", "order", "parameters", "release"]
    inputs = []
    for i in range(count):
        fields = {n: sha256(n.encode(), i.to_bytes(2, "big")) for n in names}
        inputs.append((sides[i % 2], fields))
    leaves = [leaf(side, *fields.values()) for side, fields in inputs]
    index = count // 2
    side, fields = inputs[index]
    return {
        "count": count,
        "index": index,
        "side": side,
        "fields": {n: v.hex() for n, v in fields.items()},
        "leaf": leaves[index].hex(),
        "path": [x.hex() for x in path(leaves, index)],
        "digest": sha256(
            b"roundcast/attest-batch/v1", count.to_bytes(2, "big"), root(leaves)
        ).hex(),
    }


print(json.dumps([case(n) for n in (1, 2, 3, 5, 8, 100, 1023, 1024)], indent=1))
