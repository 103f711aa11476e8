"""Who plays: the programs' command lines, and how each viewer answers asks."""

import json
import subprocess

from world.programs import Failure

# The clip needs 0.95 Mbit/s on average; two slots at the station, one at B,
# with head room, as in the demo.
STREAM_MBPS = "1.1"
STATION_MBPS = "3.2"
B_MBPS = "1.6"
ASK_DEADLINE_MS = "3000"
# The smallest round that the desk sells by default.
CLASS = "small.local.1h.45gb"


class Cast:
    """Starts the programs of one evening. `place(name)` gives the words in
    front of a command (to enter a namespace) and the address to listen on."""

    def __init__(self, world, options, place, trace=False):
        self.world = world
        self.options = options
        self.place = place
        self.trace = trace
        self.invite = None
        self.desk_uri = None

    def command(self, name, program, *words):
        prefix, _ = self.place(name)
        return [*prefix, self.options.programs / program, *words]

    def _address(self, name):
        return self.place(name)[1]

    def _data(self, name):
        return self.options.work / f"{name}.data"

    def common(self, name, page=False):
        words = ["--json", "--name", name, "--listen", f"{self._address(name)}:0",
                 "--data", self._data(name),
                 "--trust-root", self.options.bundle / "root.json", "--trust-development"]
        if self.trace:
            words.append("--trace-chunks")
        return words + (["--page", "127.0.0.1:0"] if page else ["--no-page"])

    def run(self, name, program, *words):
        """Runs a program to its end and returns its JSON lines."""
        done = subprocess.run(
            [str(w) for w in self.command(name, program, *words)], capture_output=True,
            text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Failure(f"{program} {words[0]}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def open_desk(self, relays):
        """Starts shop and desk, whose relays take these addresses in turn."""
        self.world.start("desk", self.command(
            "desk", "roundcast-desk", "serve", "--provider", "local",
            "--data", self._data("desk"), "--listen", f"{self._address('desk')}:0",
            "--release", self.options.bundle / "release",
            *[word for address in relays for word in ("--relay-address", address)], "--json"))
        self.desk_uri = self.world.event("desk", "desk_ready")["uri"]

    def sell(self, buyers):
        """Makes purchase codes; each buyer buys one voucher with one."""
        offer, = self.run("desk", "roundcast-desk", "codes", "make", "--class", CLASS,
                          "--count", str(len(buyers)), "--data", self._data("desk"), "--json")
        for buyer, code in zip(buyers, offer["codes"], strict=True):
            self.run(buyer, "roundcast", "wallet", "buy", "--desk", self.desk_uri,
                     "--code", code, "--class", offer["class"],
                     "--data", self._data(buyer), "--json")

    def station(self, page=False, upload_mbps=STATION_MBPS, slots=2, stripes="1+0"):
        """Starts the station; it must have that many slots."""
        self.world.start("S", self.command(
            "S", "roundcast", "broadcast", "--input", self.options.clip, "--loop",
            "--stream-mbps", STREAM_MBPS, "--upload-mbps", upload_mbps,
            "--stripes", stripes,
            "--ask-deadline-ms", ASK_DEADLINE_MS, "--ask-interval-ms", "0",
            "--keep", self.options.work / "published.mp4", *self.common("S", page)))
        ready = self.world.event("S", "station_ready")
        if slots is not None and ready["slots"] != slots:
            raise Failure(f"the station has {ready['slots']} slots, not {slots}")
        self.invite = ready["invite"]
        return ready

    def viewer(self, name, page=False):
        """Starts a viewer; only B shares, and only for one child. Without a
        desk nobody can sponsor."""
        sponsor = ["--sponsor", "never"]
        if self.desk_uri:
            sponsor = ["--sponsor", "ask", "--desk", self.desk_uri]
        return self.watch(name, B_MBPS if name == "B" else "0", sponsor, page)

    def watch(self, name, share_mbps, sponsor, page=False):
        """Starts a viewer with these words about sponsoring."""
        return self.world.start(name, self.command(
            name, "roundcast", "watch", self.invite, "--share-mbps", str(share_mbps), *sponsor,
            "--out", self.options.work / f"{name}.mp4", *self.common(name, page)))

    def answers(self, plan):
        """Answers asks on standard input: `plan[name][cause]` is the answer,
        `decline` where there is none, and None lets the deadline pass. Who is
        not in the plan is answered for elsewhere."""

        def reaction(event):
            name = event["name"]
            if event["kind"] != "sponsor_prompted" or name not in plan:
                return
            answer = plan[name].get(event["cause"], "decline")
            if answer is not None:
                self.world.programs[name].say(f"{answer} {event['ask']}")

        self.world.react(reaction)


def quit_all(world, names):
    """Everybody leaves by himself, one after the other; returns the exit codes."""
    codes = {}
    for name in names:
        codes |= quit_together(world, [name])
    return codes


def quit_together(world, names):
    """All of these leave at once, who feed nobody; returns the exit codes."""
    for name in names:
        world.programs[name].say("quit")
    return {name: world.programs[name].end(20) for name in names}
