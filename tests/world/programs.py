"""Starts the project's programs and reads what they tell (roundcast.event/1)."""

import json
import os
import queue
import signal
import subprocess
import threading
import time


class Failure(Exception):
    """A step of the evening failed; the text names it."""


class Program:
    """One process: its events, its standard input, its log."""

    def __init__(self, name, command, work, told):
        self.name = name
        self.log_path = work / f"{name}.log"
        self.events = []
        self.told = told
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.log)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.log.write(b"> " + line)
            self.log.flush()
            try:
                event = json.loads(line)
            except json.JSONDecodeError:
                continue
            if event.get("schema") == "roundcast.event/1":
                event["name"] = self.name
                event["seen_s"] = time.monotonic()
                self.events.append(event)
                self.told.put(event)

    def say(self, line):
        """Writes one line to the program's standard input."""
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise Failure(f"{self.name} has ended; it should hear {line!r}\n{self.tail()}") from error

    def first(self, kind, **fields):
        """The first event of this kind with these fields, or None."""
        for event in list(self.events):
            if event["kind"] == kind and all(event.get(k) == v for k, v in fields.items()):
                return event
        return None

    def tail(self):
        """The end of the program's log."""
        text = self.log_path.read_bytes()[-3000:].decode(errors="replace")
        return f"--- {self.name} ---\n{text}"

    def end(self, seconds):
        """Waits for the end; the exit code."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} does not end within {seconds} s\n{self.tail()}") from None
        self.reader.join(5)
        return code

    def kill(self):
        """Ends the process, whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


class World:
    """All programs of an evening, and what is waited for."""

    def __init__(self, work):
        self.work = work
        self.programs = {}
        self.told = queue.Queue()
        self.reactions = []

    def start(self, name, command):
        """Starts a program under a name."""
        program = Program(name, command, self.work, self.told)
        self.programs[name] = program
        return program

    def react(self, reaction):
        """Calls `reaction(event)` for each event, while something is waited for."""
        self.reactions.append(reaction)

    def until(self, what, condition, seconds=30):
        """Waits until `condition()` is true; returns its value."""
        deadline = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            for program in self.programs.values():
                if program.process.poll() not in (None, 0) and not getattr(program, "may_fail", False):
                    raise Failure(f"{what}: {program.name} ended with "
                                  f"{program.process.returncode}\n{program.tail()}")
            if time.monotonic() > deadline:
                raise Failure(f"{what}: not within {seconds} s\n{self.tails()}")
            try:
                event = self.told.get(timeout=0.1)
            except queue.Empty:
                continue
            for reaction in self.reactions:
                reaction(event)

    def event(self, name, kind, seconds=30, **fields):
        """Waits for a program's event."""
        program = self.programs[name]
        return self.until(f"{name}: {kind} {fields or ''}",
                          lambda: program.first(kind, **fields), seconds)

    def pause(self, seconds):
        """Lets the evening go on for a while."""
        deadline = time.monotonic() + seconds
        self.until(f"{seconds} s", lambda: time.monotonic() >= deadline, seconds + 5)

    def tails(self):
        """The ends of all logs."""
        return "\n".join(program.tail() for program in self.programs.values())

    def close(self):
        """Ends what still runs."""
        for program in self.programs.values():
            program.kill()


def kill_relay(desk):
    """Kills the newest relay that the desk has started: no warning, no goodbye."""
    started = [event for event in desk.events if event["kind"] == "relay_started"]
    if not started:
        raise Failure("the desk has started no relay to kill")
    os.kill(started[-1]["pid"], signal.SIGKILL)
