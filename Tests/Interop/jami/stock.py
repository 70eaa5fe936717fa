"""A stock Jami daemon with everything it needs: a bus, a sound server, a home and an account."""
import os

import dbus
import dbus.bus
import dbus.mainloop.glib
from gi.repository import GLib

from programs import Failure, Journal, LockedUp, Program, now
from sound import SoundServer, ToneWatch, serve

DAEMON = "/usr/libexec/jamid"
SERVICE = "cx.ring.Ring"
# The status of a text that its receiver took.
SENT = 2
ENDED = ("OVER", "FAILURE", "BUSY", "PEER_BUSY", "HUNGUP")
# No service files: a bus that could start the daemon would replace one that died, without our environment.
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
dbus.mainloop.glib.threads_init()
SIGNALS = dbus.mainloop.glib.DBusGMainLoop()


def run_signals():
    """Delivers the signals of every bus; for a thread of its own."""
    GLib.MainLoop().run()


def plain(value):
    """A value of D-Bus as one of Python."""
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dbus.Boolean):
        return bool(value)
    return int(value) if isinstance(value, int) else str(value)


def texts(facts):
    return dbus.Dictionary({key: str(value) for key, value in facts.items()}, signature="ss")


class Stock:
    """One daemon with one account; as caller and callee, it is driven like ours."""

    def __init__(self, network, name, tone, heard):
        self.network, self.world, self.name = network, network.world, name
        self.tone, self.heard = tone, heard
        self.folder = os.path.join(network.folder, name)
        self.journal = Journal(self.world, os.path.join(network.folder, name + ".events"))
        self.space = network.host(name)
        self.servers = []
        self.sound = self.daemon = self.signals = self.account = self.call = self.id = None

    # Starting and ending

    def start(self, archive=None):
        """Starts everything, and makes an account or takes one from an archive."""
        run = os.path.join(self.folder, "run")
        home = os.path.join(self.folder, "home")
        for folder in (run, home):
            os.makedirs(folder, mode=0o700)
        self.address = f"unix:path={run}/bus"
        self.environment = dict(
            os.environ, HOME=home, XDG_RUNTIME_DIR=run, XDG_CONFIG_HOME=home + "/.config",
            XDG_DATA_HOME=home + "/.local/share", XDG_CACHE_HOME=home + "/.cache", NO_COLOR="1", SIPLOGLEVEL="5",
            DBUS_SESSION_BUS_ADDRESS=self.address, PULSE_SERVER=f"unix:{run}/sound")
        self._start_bus()
        self._start_sound(run + "/sound")
        self._start_daemon()
        self._make_account(archive)

    def _program(self, name, *command):
        return Program(name, command, self.folder, space=self.space, environment=self.environment)

    def _start_bus(self):
        path = os.path.join(self.folder, "bus.conf")
        with open(path, "w") as file:
            file.write(BUS.format(address=self.address))
        self.servers.append(self._program("bus", "dbus-daemon", f"--config-file={path}", "--nofork", "--nopidfile"))
        self.world.until(lambda: os.path.exists(self.folder + "/run/bus"), 10, "no bus")
        self.signals = dbus.bus.BusConnection(self.address, mainloop=SIGNALS)
        for part in ("CallManager", "ConfigurationManager"):
            self.signals.add_signal_receiver(
                self._signalled, dbus_interface=f"{SERVICE}.{part}", member_keyword="member")
        self.bus = dbus.bus.BusConnection(self.address)

    def _start_sound(self, socket):
        self.servers.append(serve(self._program, socket, self.world))
        # Also while nobody calls: with nobody at them, null sinks run in blocks of a second and more.
        self.sound = SoundServer(self.environment, self.world, self.tone)

    def _start_daemon(self):
        self.daemon = self._program("jamid", DAEMON, "-d", "-c", "-p")
        self.world.until(lambda: self.bus.name_has_owner(SERVICE), 20, f"{self.name}: the daemon did not start")
        self.configuration, self.calls = self._face("ConfigurationManager"), self._face("CallManager")
        self._face("Instance").Register(dbus.Int32(os.getpid()), "interop")

    def _face(self, name):
        return dbus.Interface(self.bus.get_object(SERVICE, f"/cx/ring/Ring/{name}"), f"{SERVICE}.{name}")

    def _make_account(self, archive):
        details = plain(self.configuration.getAccountTemplate("RING"))
        details.update({
            "Account.type": "RING", "Account.alias": self.name, "Account.displayName": self.name,
            "Account.hostname": self.network.entry, "Account.upnpEnabled": "false", "Account.proxyEnabled": "false",
            "Account.peerDiscovery": "false", "Account.accountDiscovery": "false", "Account.accountPublish": "false",
            "Account.videoEnabled": "false", "Account.autoAnswer": "false", "Account.ringtoneEnabled": "false",
            "DHT.PublicInCalls": "true", "TURN.enable": "false", "STUN.enable": "false",
            "RingNS.uri": "http://127.0.0.1:9",  # nobody: no names are looked up
        })
        if archive:
            details["Account.archivePath"] = archive
        self.account = str(self.configuration.addAccount(texts(details)))
        self._await_network(60)
        self.id = plain(self.configuration.getAccountDetails(self.account))["Account.username"].split(":")[-1]

    def _await_network(self, seconds):
        def is_reachable():
            state = plain(self.configuration.getVolatileAccountDetails(self.account))
            return (state.get("Account.registrationStatus") == "REGISTERED"
                    and state.get("Account.deviceAnnounced") == "true")
        self.world.until(is_reachable, seconds, f"{self.name} was not reachable")

    def restart(self):
        """A new process with the same account; nothing of it knows of earlier connections."""
        self.daemon.stop()
        self.call = None
        self._start_daemon()
        self._await_network(30)

    def export(self, path):
        if not self.configuration.exportToFile(self.account, path, ""):
            raise Failure("the account was not exported")

    def close(self):
        if self.sound:
            self.sound.stop(os.path.join(self.folder, "heard.wav"))
        if self.signals:
            self.signals.close()
            self.bus.close()
        for program in [self.daemon] + self.servers[::-1]:
            if program:
                program.stop()

    def _signalled(self, *arguments, member):
        if member not in ("audioMeter", "onRtcpReportReceived"):
            self.journal.add({"event": str(member), "t": now(), "arguments": plain(arguments)})

    # Calling

    def quiet(self):
        """Ends what an earlier row left."""
        if self.call and self._state(self.call) not in ENDED:
            self.hang_up()
            self.await_end()
        self.call = None

    def dial(self, peer):
        media = {"MEDIA_TYPE": "MEDIA_TYPE_AUDIO", "ENABLED": "true", "MUTED": "false", "SOURCE": "",
                 "LABEL": "audio_0"}
        self.call = str(self.calls.placeCallWithMedia(self.account, peer, dbus.Array([texts(media)], "a{ss}")))
        if not self.call:
            raise Failure(f"{self.name} would not call")

    def dialled(self, since):
        """The daemon dials within the order."""
        return None

    def _await(self, name, since, seconds=30, match=lambda arguments: True):
        def look():
            return next((e for e in self.journal.all(name, since) if match(e["arguments"])), None)
        return self.world.until(look, seconds, f"{self.name}: no {name}")

    def await_ringing(self, since):
        """As the caller: the peer alerts its user."""
        return self._await_state("RINGING", since=since)

    def await_incoming(self, since):
        """As the callee."""
        event = self._await("incomingCallWithMedia", since)
        self.call, self.offered = event["arguments"][1], event["arguments"][3]
        return event["t"]

    def await_incoming_of_stock(self, since):
        """As the callee of another stock daemon, which lets a new channel no time to settle.

        jamid 13.7.0 accepts a channel before it reads from it. A call that is there by then is taken up inside of the
        lock that it needs itself, and the account of the callee stands still for good.
        """
        try:
            return self.await_incoming(since)
        except Failure as why:
            if self._stands_in_call():
                raise LockedUp(f"{self.name} locked itself up over a call of another stock daemon") from why
            raise

    def _stands_in_call(self):
        """Whether the daemon began to take its last incoming call, and did not go on."""
        with open(os.path.join(self.folder, "jamid.log"), errors="replace") as file:
            begun = file.read().rpartition("New incoming call from")
        return bool(begun[1]) and "Create a new [INCOMING]" not in begun[2]

    def _state(self, call):
        states = [e["arguments"][2] for e in self.journal.all("callStateChanged") if e["arguments"][1] == call]
        return states[-1] if states else ""

    def _await_state(self, *wanted, since=0, seconds=30):
        def look():
            for event in self.journal.all("callStateChanged", since):
                _, call, state, _ = event["arguments"]
                if call == self.call and state in wanted:
                    return event
                if call == self.call and state in ENDED:
                    raise Failure(f"{self.name}: the call ended as {state}, not {' or '.join(wanted)}")
            return None
        return self.world.until(look, seconds, f"{self.name}: not {' or '.join(wanted)}")["t"]

    def answer(self):
        self.calls.acceptWithMedia(self.account, self.call, dbus.Array(map(texts, self.offered), "a{ss}"))

    def decline(self):
        self.calls.refuse(self.account, self.call)

    def hang_up(self):
        self.calls.hangUp(self.account, self.call)

    def await_connected(self, since=0):
        return self._await_state("CURRENT", since=since)

    def await_end(self, seconds=30):
        return self._await_state(*ENDED, seconds=seconds)

    def await_over(self, since, is_ours):
        return self.await_end()

    def await_cancelled(self, since):
        return self.await_end()

    def logged(self, text, since):
        """Whether the daemon's log says so after a place in it."""
        with open(self.daemon.log, errors="replace") as log:
            log.seek(since)
            return text in log.read()

    @property
    def end_of_log(self):
        return os.path.getsize(self.daemon.log)

    def hold(self, is_held):
        since = self.journal.here()
        (self.calls.hold if is_held else self.calls.unhold)(self.account, self.call)
        self._await_state("HOLD" if is_held else "CURRENT", since=since)

    def mute(self, is_muted):
        self.calls.muteLocalMedia(self.account, self.call, "MEDIA_TYPE_AUDIO", is_muted)

    # Texts

    def say(self, text):
        """Within the call."""
        self.calls.sendTextMessage(self.account, self.call, texts({"text/plain": text}), True)

    def await_said(self, text, since):
        return self._await("incomingMessage", since, match=lambda a: text in a[3].values())["t"]

    def write(self, peer, text):
        """Outside of calls."""
        return str(self.configuration.sendTextMessage(self.account, peer, texts({"text/plain": text})))

    def await_taken(self, text, since):
        """A text was sent as far as the daemon can tell; by the number it got when it was written."""
        return self._await("accountMessageStatusChanged", since, match=lambda a: a[3] == text and a[4] == SENT)["t"]

    def await_written(self, text, since):
        return self._await("incomingAccountMessage", since, match=lambda a: text in a[3].values())["t"]

    # Contacts

    def ask(self, peer, profile):
        """Wants to be a contact."""
        self.configuration.sendTrustRequest(self.account, peer, dbus.ByteArray(profile.encode()))

    def await_asked(self, peer, since):
        """Somebody wants to be a contact; returns the profile shown."""
        event = self._await("incomingTrustRequest", since, match=lambda a: a[2] == peer)
        return bytes(event["arguments"][3]).decode()

    def agree(self, peer):
        if not self.configuration.acceptTrustRequest(self.account, peer):
            raise Failure(f"{self.name} could not accept the request")

    def await_contact(self, peer, since):
        """A contact that agreed."""
        return self._await("contactAdded", since, match=lambda a: a[1] == peer and a[2])["t"]

    # Sound

    def watch(self):
        """Listens for the other side's tone from now on."""
        return ToneWatch(self.sound, self.heard)
