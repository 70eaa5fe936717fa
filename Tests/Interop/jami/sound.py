"""Tones: made, played into a sound server, recorded from it or from a WAV file, and recognised."""
import array
import math
import os
import struct
import subprocess
import threading

RATE = 48000
FORMAT = ["--format=s16le", f"--rate={RATE}", "--channels=1"]
WINDOW = RATE // 10
# A window is loud from this RMS on; stock Jami's noise suppression leaves about a tenth of a tone's amplitude.
LOUD = 50
# Of a window's power, how much the tone must have.
SHARE = 0.6


def tone(hertz, seconds):
    """Samples of a sine; whole periods fit into a second."""
    step = 2 * math.pi * hertz / RATE
    return array.array("h", (int(12000 * math.sin(step * i)) for i in range(RATE))) * seconds


def write_wav(path, samples):
    data = samples.tobytes()
    with open(path, "wb") as file:
        file.write(b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt ")
        file.write(struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16))
        file.write(b"data" + struct.pack("<I", len(data)) + data)


def holds(window, hertz):
    """Whether the tone dominates a window; None when the window is silent. Goertzel's algorithm."""
    power = sum(x * x for x in window) / len(window)
    if power < LOUD * LOUD:
        return None
    factor = 2 * math.cos(2 * math.pi * hertz / RATE)
    last = before = 0.0
    for x in window:
        last, before = x + factor * last - before, last
    amplitude = 2 * math.sqrt(max(0.0, last * last + before * before - factor * last * before)) / len(window)
    return amplitude * amplitude / 2 > SHARE * power


class ToneWatch:
    """Looks for a tone in what a source records from now on."""

    # Of the last ten windows of 100 ms, this many must hold the tone.
    NEEDED = 7

    def __init__(self, source, hertz):
        self.source = source
        self.hertz = hertz
        self.place = source.end()
        self.windows = []

    def look(self):
        self.place = min(self.place, self.source.end())
        while self.source.end() - self.place >= WINDOW:
            self.windows.append(holds(self.source.samples(self.place, WINDOW), self.hertz))
            self.place += WINDOW
        self.windows = self.windows[-10:]

    def is_heard(self):
        self.look()
        return self.windows.count(True) >= self.NEEDED

    def is_gone(self):
        """Whether the last half second held nothing of it."""
        self.look()
        return len(self.windows) >= 5 and not any(self.windows[-5:])

    def shown(self):
        return "".join({True: "T", False: "x", None: "."}[w] for w in self.windows)


def serve(start, socket, world):
    """Has `start`, which takes a name and a command, start a private PulseAudio with a microphone and a loudspeaker.

    Both are null sinks: what the microphone hears is played into it, what the loudspeaker plays is its monitor.
    """
    server = start(
        "sound", "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--log-target=stderr",
        "-L", f"module-native-protocol-unix socket={socket} auth-anonymous=1",
        "-L", "module-null-sink sink_name=loudspeaker rate=48000",
        "-L", "module-null-sink sink_name=microphone rate=48000")
    world.until(lambda: os.path.exists(socket), 10, "no sound server")
    for setting in (["set-default-sink", "loudspeaker"], ["set-default-source", "microphone.monitor"]):
        start("sound-setting", "pactl", *setting).process.wait(10)
    return server


class SoundServer:
    """The faces of a private PulseAudio: a tone for the microphone, and a recording of the loudspeaker."""

    KEPT = 60 * RATE

    def __init__(self, environment, world, hertz):
        self.world = world
        self.data = array.array("h")
        self.dropped = 0
        self.lock = threading.Lock()
        self.player = subprocess.Popen(
            ["pacat", "--latency-msec=20", "-d", "microphone"] + FORMAT, env=environment, stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True)
        self.recorder = subprocess.Popen(
            ["parec", "--latency-msec=10", "-d", "loudspeaker.monitor"] + FORMAT, env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
        threading.Thread(target=self._play, args=(tone(hertz, 1).tobytes(),), daemon=True).start()
        threading.Thread(target=self._record, daemon=True).start()

    def _play(self, second):
        try:
            while True:
                for start in range(0, len(second), 1920):
                    self.player.stdin.write(second[start:start + 1920])
                    self.player.stdin.flush()
        except (OSError, ValueError):
            return  # the server was stopped

    def _record(self):
        rest = b""
        while data := self.recorder.stdout.read1(65536):
            rest += data
            whole = len(rest) // 2 * 2
            with self.lock:
                self.data.frombytes(rest[:whole])
                extra = len(self.data) - self.KEPT
                if extra > RATE:
                    del self.data[:extra]
                    self.dropped += extra
            rest = rest[whole:]

    def end(self):
        with self.lock:
            return self.dropped + len(self.data)

    def samples(self, start, count):
        with self.lock:
            begin = max(start - self.dropped, 0)
            return self.data[begin:begin + count]

    def stop(self, path):
        """Leaves what was heard last in a WAV file."""
        for process in (self.player, self.recorder):
            process.terminate()
            process.wait()
        with self.lock:
            write_wav(path, self.data)


class Recording:
    """A 16-bit mono WAV file that grows; its header is not to be relied on meanwhile."""

    HEADER = 44

    def __init__(self, path):
        self.path = path

    def _read(self, offset, count):
        try:
            with open(self.path, "rb") as file:
                file.seek(offset)
                return file.read(count)
        except FileNotFoundError:
            return b""

    def end(self):
        try:
            with open(self.path, "rb") as file:
                return max(0, file.seek(0, 2) - self.HEADER) // 2
        except FileNotFoundError:
            return 0

    def samples(self, start, count):
        data = self._read(self.HEADER + 2 * start, 2 * count)
        samples = array.array("h")
        samples.frombytes(data[:len(data) // 2 * 2])
        return samples or array.array("h", [0])
