"""The evening of the paper's figure 1, step by step."""

from world.programs import Failure, kill_relay

VIEWERS = ["A", "B", "C", "D", "E"]
# What each viewer says when asked, by cause; `decline` where nothing stands,
# and None lets the deadline pass.
PLAN = {"A": {}, "B": {"join": "accept"}, "C": {"join": None, "leave": None},
        "D": {"leave": "accept"}, "E": {}}


def round_of_b(world, cast, relay_addresses):
    """A, B and C find places, D does not; B buys a round; D watches through
    the relay, which it has verified. Returns the relay."""
    cast.open_desk(relay_addresses)
    cast.sell(["B", "D"])
    cast.answers(PLAN)
    cast.station()
    for name in ("A", "B", "C"):
        cast.viewer(name)
        world.event(name, "first_chunk")
    cast.viewer("D")
    world.event("S", "capacity_short", 20)
    world.event("S", "sponsor_asked", 40, who="B")
    world.event("desk", "relay_started", 30)
    # A neighbour may bring the first chunk, or the last block of it.
    world.event("D", "first_chunk", 40)
    edge = world.event("D", "edge_up", 40, child=True)
    verified = world.programs["D"].first("relay_verified", relay=edge["other"])
    if verified is None or verified["mono_us"] > edge["mono_us"]:
        raise Failure("D took from its relay before verifying it")
    return edge["other"]


def relay_dies(world):
    """The relay is killed; B returns to the station; D buys the next round,
    and its relay carries D and E."""
    kill_relay(world.programs["desk"])
    world.event("S", "relay_lost", 20)
    desk = world.programs["desk"]
    world.until("a second relay", lambda: sum(
        event["kind"] == "relay_started" for event in desk.events) == 2, 60)
    for name in ("B", "D", "E"):
        world.event(name, "reparented", 40)
