"""Our node: the built `swiftlet`, driven by its keyboard and told about by its events."""
import json
import os
import signal
import subprocess

from programs import Failure, Journal, Program
from sound import Recording, SoundServer, ToneWatch, serve, tone, write_wav


class Ours:
    """One account; as caller and callee, it is driven like a stock daemon.

    Usually `swiftlet listen` runs and does everything. `swiftlet call` and `swiftlet message` are processes of the
    same account, so they run instead of it.
    """

    PLAYED_SECONDS = 60

    def __init__(self, network, name, tone, heard, swiftlet, level):
        self.network, self.world, self.name = network, network.world, name
        self.tone, self.heard, self.swiftlet, self.level = tone, heard, swiftlet, level
        self.folder = os.path.join(network.folder, name)
        self.space = network.host(name)
        self.state = os.path.join(self.folder, "state")
        self.played = os.path.join(self.folder, "played.wav")
        self.recorded = os.path.join(self.folder, "recorded.wav")
        self.program = self.id = self.environment = None
        self.journal = Journal(self.world, os.path.join(network.folder, name + ".events"))

    # Starting and ending

    def start(self, *arguments, archive=None):
        """Makes an account, or a further device of the one in an archive, and listens."""
        os.makedirs(self.folder)
        write_wav(self.played, tone(self.tone, self.PLAYED_SECONDS))
        self._run("account", *(["import", archive] if archive else ["create"]), "--name", self.name)
        self.await_exit(0, seconds=60)
        event = "account-imported" if archive else "account-created"
        self.id = self.world.until(lambda: self.journal.first(event), 5, "no account")["account"]
        self.listen(*arguments)

    @property
    def can_dial(self):
        """Whether `swiftlet listen` calls on its user's word."""
        text = subprocess.run([self.swiftlet, "listen", "--help"], capture_output=True, text=True).stdout
        return "c ID" in text

    def _run(self, command, *arguments, types=False):
        if self.program and self.program.is_running:
            raise Failure(f"{self.name}: {self.program.name} still runs")
        options = ["--state", self.state, "--json", "--log-level", self.level]
        self.program = Program(
            f"swiftlet-{command}", [self.swiftlet, command, *arguments, *options], self.folder, space=self.space,
            environment=self.environment, journal=self.journal, types=types)

    def _sounds(self):
        return ["--bootstrap", self.network.entry, "--play", self.played, "--record", self.recorded]

    def listen(self, *arguments):
        since = self.journal.here()
        self._run("listen", *self._sounds(), *arguments, types=True)
        self._await("announced", since)

    def end(self):
        """Ends whatever runs as its user would; returns the exit code."""
        return self.program.stop(signal.SIGINT)

    def restart(self, *arguments):
        self.end()
        self.listen(*arguments)

    def die(self):
        """Ends without a word to anybody."""
        self.program.stop(signal.SIGKILL)

    def export(self, path):
        """Writes the account to an archive, without a password."""
        self.end()
        self._run("account", "export", path)
        self.await_exit(0)
        self.listen()

    def close(self):
        if self.program:
            self.program.stop(signal.SIGINT)

    # Calling

    def quiet(self):
        """Ends what an earlier row left, and listens again if it stopped."""
        if not self.program.is_running or not self.program.name.endswith("listen"):
            self.end()
            self.listen()

    def call(self, peer, *arguments):
        """Calls from a process of its own, which must not run beside `listen`; no connection is left from before."""
        self.end()
        self._run("call", peer, *self._sounds(), *arguments)

    def dial(self, peer):
        """Calls from the running node."""
        self.program.type(f"c {peer}")

    def dialled(self, since):
        """When the call really began: a process of its own has to join the network before."""
        return self.journal.first("dialing", since)["t"]

    def _await(self, name, since, seconds=30, **facts):
        def look():
            has_told_all = self.program.has_told_all
            found = self.journal.first(name, since, **facts)
            over = None if name == "ended" else self.journal.first("ended", since)
            if not found and over:
                raise Failure(f"{self.name}: the call ended ({over['reason']}) before {name}")
            if not found and has_told_all:
                raise Failure(f"{self.name}: the program ended before {name}: {self.program.last_lines(1).strip()}")
            return found
        return self.world.until(look, seconds, f"{self.name}: no {name}")

    def await_ringing(self, since):
        return self._await("ringing", since)["t"]

    def await_incoming(self, since):
        return self._await("incoming-call", since)["t"]

    def answer(self):
        self.program.type("a")

    def decline(self):
        self.program.type("d")

    def hang_up(self):
        """Typed while listening; a call of its own hangs up when it is to end."""
        if self.program.keyboard is None:
            self.program.process.send_signal(signal.SIGINT)
        else:
            self.program.type("h")

    def await_connected(self, since):
        return self._await("media-connected", since)["t"]

    def await_end(self, since, seconds=30, reasons=()):
        event = self._await("ended", since, seconds)
        if reasons and event["reason"] not in reasons:
            raise Failure(f"{self.name}: ended as {event['reason']}, not {' or '.join(reasons)}")
        return event["t"]

    def await_over(self, since, is_ours):
        """The end of a call that ours or the peer hung up."""
        return self.await_end(since, reasons=("hung-up",) if is_ours else ("remote-hung-up",))

    def await_cancelled(self, since):
        """The end of a call that another device took, or that the caller gave up."""
        return self.await_end(since, reasons=("remote-cancelled",))

    def await_exit(self, *codes, seconds=20):
        self.world.until(lambda: not self.program.is_running, seconds, f"{self.name}: did not exit")
        code = self.program.process.returncode
        if code not in codes:
            raise Failure(f"{self.name}: exit code {code}, not {' or '.join(map(str, codes))}")

    def hold(self, is_held):
        """Returns once the peer knows."""
        since = self.journal.here()
        self.program.type("o")
        return self._await("held", since, held=is_held)["t"]

    def mute(self):
        """Mutes, or unmutes."""
        self.program.type("m")

    def await_muted(self, is_muted, since):
        return self._await("peer-muted", since, muted=is_muted)["t"]

    def new_connections(self, since):
        """How many control connections were made."""
        return len(self.journal.all("path-found", since)) + len(self.journal.all("request-received", since))

    # Texts

    def await_said(self, text, since):
        return self._await("call-message", since, text=text)["t"]

    def await_written(self, text, since):
        return self._await("message", since, text=text)["t"]

    def write(self, peer, text):
        """Outside of calls, from a process of its own; waits until the peer took it."""
        since = self.journal.here()
        self.end()
        self._run("message", peer, text, "--bootstrap", self.network.entry)
        event = self._await("delivered", since, 60)
        self.await_exit(0)
        return event["t"]

    # Contacts

    def agree(self, peer, *arguments):
        """Asks to be a contact, or agrees, from a process of its own; listens again then."""
        since = self.journal.here()
        self.end()
        self._run("contact", "add", peer, "--bootstrap", self.network.entry)
        event = self._await("contact-added", since)
        self.await_exit(0)
        if not event["asked"]:
            raise Failure(f"{self.name}: no device of the contact could be asked")
        self.listen(*arguments)

    def await_asked(self, peer, since):
        """Somebody wants to be a contact; returns the profile shown."""
        return self._await("contact-request", since, **{"from": peer})["profile"]

    def contact_state(self, peer):
        """How the list of contacts calls it."""
        listed = subprocess.run(
            [self.swiftlet, "contact", "list", "--state", self.state, "--json"], capture_output=True, text=True)
        contacts = map(json.loads, listed.stdout.splitlines())
        return next((c["state"] for c in contacts if c["event"] == "contact" and c["contact"] == peer), None)

    def await_contact(self, peer):
        self.world.until(
            lambda: self.contact_state(peer) == "confirmed", 30, f"{self.name}: the contact was not confirmed")

    def logged(self, text):
        """Whether the running program's log says so."""
        with open(self.program.log, errors="replace") as log:
            return text in log.read()

    # Sound

    def watch(self):
        """Listens for the other side's tone from now on."""
        return ToneWatch(Recording(self.recorded), self.heard)


class LiveOurs(Ours):
    """Talks through the devices of a private PulseAudio instead of files."""

    DEVICES = """pcm.loudspeaker { type pulse device "loudspeaker" }
pcm.microphone { type pulse device "microphone.monitor" }
"""

    def start(self, *arguments, archive=None):
        run = self.folder + "-sound"
        os.makedirs(run, mode=0o700)
        with open(run + "/.asoundrc", "w") as file:
            file.write(self.DEVICES)
        socket = run + "/socket"
        self.environment = dict(os.environ, HOME=run, XDG_RUNTIME_DIR=run, PULSE_SERVER=f"unix:{socket}")
        self.server = serve(
            lambda name, *command: Program(name, command, run, space=self.space, environment=self.environment),
            socket, self.world)
        self.room = SoundServer(self.environment, self.world, self.tone)
        super().start(*arguments, archive=archive)

    def _sounds(self):
        return ["--bootstrap", self.network.entry, "--play", "device:microphone", "--record", "device:loudspeaker"]

    def opened(self, since):
        """How many devices were opened."""
        return len(self.journal.all("sound-opened", since))

    def watch(self):
        return ToneWatch(self.room, self.heard)

    def close(self):
        super().close()
        self.room.stop(os.path.join(self.folder, "heard.wav"))
        self.server.stop()
