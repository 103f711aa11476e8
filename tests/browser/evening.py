"""An evening in front of a real browser; run by `tests/run browser`.

B watches on its page in headless Chromium and, when D's join overloads the
tree, buys the round with a click. Checked: the picture plays (videoWidth > 0,
currentTime grows) before and after, the path line stands there and names the
verified relay, the station's own page plays too, no script error, no request
to another host.
"""

import argparse
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from world.cast import Cast, quit_all  # noqa: E402
from world.media import compare  # noqa: E402
from world.programs import Failure, World  # noqa: E402

# B answers on its page.
PLAN = {"A": {}, "C": {}, "D": {}}
VIEWERS = ["A", "B", "C", "D"]
HERE = Path(__file__).resolve().parent


class Browser:
    """One Chromium in front of one page."""

    def __init__(self, options, name, url, accept):
        settings = {"url": url, "chromium": str(options.chromium), "accept": accept,
                    "playwright": str(options.playwright),
                    "profile": str(options.work / f"{name}.profile"),
                    "picture": str(options.work / f"{name}.png")}
        self.name = name
        self.seen = []
        self.log = open(options.work / f"{name}.browser.log", "wb")
        self.process = subprocess.Popen(
            ["node", str(HERE / "watch.mjs"), json.dumps(settings)],
            stdout=subprocess.PIPE, stderr=self.log, stdin=subprocess.DEVNULL)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.log.write(line)
            self.log.flush()
            seen = json.loads(line)
            self.seen.append(seen)
            print(f"seen: {self.name}'s page: {json.dumps(seen, ensure_ascii=False)}", flush=True)

    def has(self, kind):
        """Whether this was seen; a browser that failed is a failure."""
        if self.process.poll() not in (None, 0):
            self.reader.join(5)
            text = Path(self.log.name).read_text(encoding="utf-8", errors="replace")[-3000:]
            raise Failure(f"{self.name}'s page failed:\n{text}")
        return any(seen["kind"] == kind for seen in self.seen)

    def done(self):
        """Whether it has ended well."""
        return self.process.poll() == 0 if self.has("playing") else False

    def close(self):
        """Ends the browser."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.log.close()


def play(world, cast, options, browsers):
    """The evening, step by step."""
    cast.open_desk(["127.71.0.101"])
    cast.sell(["B"])
    cast.answers(PLAN)
    station = cast.station(page=True)
    for name in ("A", "B", "C"):
        cast.viewer(name, page=name == "B")
        world.event(name, "first_chunk")
    page = world.programs["B"].first("viewer_ready")["page"]
    browsers.append(Browser(options, "B", page, accept=True))
    world.until("B's page plays", lambda: browsers[0].has("ready"), 60)
    cast.viewer("D")
    world.until("the click", lambda: browsers[0].has("accepted"), 90)
    world.event("D", "first_chunk", 60)
    world.until("B's page after the round", browsers[0].done, 90)
    browsers.append(Browser(options, "S", station["page"], accept=False))
    world.until("the station's page", browsers[1].done, 60)


def main():
    """Plays the evening and compares the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("programs", "bundle", "clip", "work", "chromium", "playwright"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args()
    for name in ("programs", "bundle", "clip", "work", "playwright"):
        setattr(options, name, getattr(options, name).resolve())
    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True)
    world, browsers = World(options.work), []
    hosts = {name: f"127.71.0.{n}" for n, name in enumerate(["S", *VIEWERS, "desk"], 1)}
    cast = Cast(world, options, lambda name: ([], hosts[name]))
    problems = []
    try:
        play(world, cast, options, browsers)
        codes = quit_all(world, [*reversed(VIEWERS), "S", "desk"])
        problems += [f"{name}: exit {code}" for name, code in codes.items() if code != 0]
        published = (options.work / "published.mp4").read_bytes()
        for name in VIEWERS:
            problem = compare(published, (options.work / f"{name}.mp4").read_bytes())
            if problem:
                problems.append(f"{name}: {problem}")
    except Failure as failure:
        problems.append(str(failure))
    finally:
        for browser in browsers:
            browser.close()
        world.close()
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
