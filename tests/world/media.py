"""What a viewer got, compared with what was published, byte for byte."""

FRAGMENT_STARTS = (b"styp", b"sidx", b"prft", b"emsg", b"moof")


def boxes(data):
    """(type, start, end) of the complete top-level boxes of an ISO BMFF file."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at:at + 4], "big")
        if size < 8 or at + size > len(data):
            return
        yield data[at + 4:at + 8], at, at + size
        at += size


def fragments(data):
    """Start of each fragment: the first box after an `mdat`, or after `moov`."""
    starts, before = [], None
    for kind, start, _ in boxes(data):
        if before in (b"moov", b"mdat") and kind in FRAGMENT_STARTS:
            starts.append(start)
        before = kind
    return starts


def compare(published, received):
    """None if `received` is the init segment and one unbroken run of the
    fragments of `published`; else what is wrong."""
    starts = fragments(published)
    if not starts:
        return "the published file has no fragment"
    init = starts[0]
    if received[:init] != published[:init]:
        return "the init segment differs"
    media = received[init:]
    count = len(fragments(received))
    if count < 5:
        return f"only {count} fragments were received"
    at = published.find(media[:4096])
    while at >= 0 and (at not in starts or published[at:at + len(media)] != media):
        at = published.find(media[:4096], at + 1)
    if at < 0:
        return "the fragments are not one run of what was published"
    end = at + len(media)
    if end not in starts and end != len(published):
        return "the last fragment is cut"
    return None
