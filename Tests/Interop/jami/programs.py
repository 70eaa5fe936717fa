"""Child processes, what happens in them, and waiting for it."""
import json
import os
import signal
import subprocess
import termios
import threading
import time


def now():
    """Seconds on the clock that `swiftlet --json` stamps its events with."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Failure(Exception):
    """Why a row did not pass, in one line."""


class LockedUp(Exception):
    """A stock daemon stopped by a fault of its own, in a step between stock daemons only: nothing is known of ours."""


class World:
    """Everything that happens wakes whoever waits."""

    def __init__(self):
        self.condition = threading.Condition()
        self.version = 0

    def changed(self):
        with self.condition:
            self.version += 1
            self.condition.notify_all()

    def until(self, look, seconds, what):
        """The first true result of `look`, which is asked again whenever something happened.

        Sound and files make no events of their own, so it is also asked now and then.
        """
        end = now() + seconds
        while True:
            seen = self.version
            found = look()
            if found:
                return found
            left = end - now()
            if left <= 0:
                raise Failure(f"{what} within {seconds:g} s")
            with self.condition:
                self.condition.wait_for(lambda: self.version != seen, timeout=min(left, 0.1))


class Journal:
    """Events in the order they came: dictionaries with at least `t` and `event`. Kept in a file as well."""

    def __init__(self, world, path):
        self.world = world
        self.path = path
        self.events = []

    def add(self, event):
        self.events.append(event)
        with open(self.path, "a") as file:
            file.write(json.dumps(event) + "\n")
        self.world.changed()

    def here(self):
        """A place to look from later."""
        return len(self.events)

    def all(self, name, since=0, **facts):
        return [e for e in self.events[since:] if e["event"] == name and facts.items() <= e.items()]

    def first(self, name, since=0, **facts):
        return next(iter(self.all(name, since, **facts)), None)


class Program:
    """A process, maybe in a network namespace, in a session of its own."""

    def __init__(self, name, command, folder, space=None, environment=None, journal=None, reads=False, types=False):
        self.name = name
        self.journal = journal
        self.log = os.path.join(folder, name + ".log")
        self.keyboard = None
        self.input = subprocess.DEVNULL
        output = open(self.log, "ab")
        if types:
            self.keyboard, self.input = os.openpty()
            modes = termios.tcgetattr(self.input)
            modes[3] &= ~termios.ECHO
            termios.tcsetattr(self.input, termios.TCSANOW, modes)
        prefix = ["ip", "netns", "exec", space] if space else []
        is_piped = journal is not None or reads
        self.process = subprocess.Popen(
            prefix + list(map(str, command)), stdin=self.input, env=environment, start_new_session=True,
            stdout=subprocess.PIPE if is_piped else output, stderr=output)
        output.close()
        if types:
            os.close(self.input)
        self.reader = threading.Thread(target=self._read, daemon=True)
        if journal is not None:
            self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            if line.startswith(b"{"):
                self.journal.add(json.loads(line))
        self.process.wait()

    def type(self, line):
        os.write(self.keyboard, (line + "\n").encode())

    @property
    def is_running(self):
        return self.process.poll() is None

    @property
    def has_told_all(self):
        """Whether it ended and the journal has all it said."""
        return not self.is_running and not self.reader.is_alive()

    def stop(self, how=signal.SIGTERM, seconds=10):
        """Asks the process to end, insists after a while, and returns its exit code."""
        if self.is_running:
            self.process.send_signal(how)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if self.keyboard is not None:
            os.close(self.keyboard)
            self.keyboard = None
        return code

    def last_lines(self, count=5):
        with open(self.log, errors="replace") as log:
            return "".join(log.readlines()[-count:])
