"""Programs under test that print lines and obey lines, whichever side they are of."""
import json
import re
import signal
import subprocess
import threading
import time

# Seconds for a line to come.
WAIT = 30
started = []


class Lines:
    """A running program whose lines are read as they come."""

    def __init__(self, arguments):
        self.lines = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)
        started.append(self.process)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()

    def say(self, line):
        """Types a line; returns how many lines were printed before."""
        with self.changed:
            count = len(self.lines)
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        return count

    def wait(self, look, since=0, patience=WAIT):
        """What `look` says of the first line it has something to say of, printed at or after place `since`."""
        end, place = time.monotonic() + patience, since
        with self.changed:
            while True:
                while place < len(self.lines):
                    found = look(self.lines[place])
                    if found:
                        return found
                    place += 1
                left = end - time.monotonic()
                if left <= 0 or not self.changed.wait(left) and place == len(self.lines):
                    return None

    def find(self, pattern, since=0, patience=WAIT):
        return self.wait(re.compile(pattern).search, since, patience)

    def event(self, name, since=0, patience=WAIT, **facts):
        """The first JSON event of this name with these facts."""
        def look(line):
            event = json.loads(line) if line.startswith("{") else {}
            return event if event.get("event") == name and facts.items() <= event.items() else None
        return self.wait(look, since, patience)

    def kill(self):
        """Ends the program as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        """Asks the program to end; returns its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(WAIT)


def end_all():
    """Ends what still runs, at the end of a test."""
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
