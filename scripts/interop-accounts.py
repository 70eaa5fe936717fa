#!/usr/bin/python3
"""Checks that accounts move between swiftlet and the stock Jami daemon, with and without a password.

usage: interop-accounts.py SWIFTLET

Starts a DHT node of swiftlet and one stock daemon on the loopback interface, the daemon with a home and a D-Bus of its
own; prints one line for each check and a summary, and exits with 1 when a check failed. Every wait ends with what it
waits for, or fails after WAIT seconds.
"""
import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

import dbus

JAMID = "/usr/libexec/jamid"
RING = "cx.ring.Ring"
WAIT = 60
CONTACTS = ["01" * 20, "ab" * 20]
# A bus without service files: one that could start a daemon by itself would hide that ours is gone.
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>
"""
processes = []
results = []


def check(name, passed):
    results.append(bool(passed))
    print(("ok    " if passed else "FAIL  ") + name, flush=True)
    return passed


def until(look):
    """What `look` returns once that is true; None after WAIT seconds without."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    return None


class Swiftlet:
    """A running command of swiftlet, and the events it printed."""
    program = None

    def __init__(self, *arguments, text=None):
        self.events = []
        self.process = subprocess.Popen(
            [self.program, *arguments, "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        processes.append(self.process)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        if text:
            self.process.stdin.write(text)
        self.process.stdin.close()

    def read(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def event(self, name):
        return until(lambda: next((e for e in self.events if e["event"] == name), None)) or {}

    def code(self):
        code = self.process.wait(WAIT)
        self.reader.join(WAIT)
        return code

    def end(self):
        self.process.send_signal(signal.SIGINT)
        return self.code()


class Daemon:
    """A stock daemon on a machine of its own, as far as it can tell: its home and its bus are in `folder`."""

    def __init__(self, folder, bootstrap):
        os.mkdir(folder)
        self.bootstrap = bootstrap
        address = f"{folder}/bus"
        config = f"{folder}/bus.conf"
        with open(config, "w") as file:
            file.write(BUS.format(path=address))
        self.log = open(f"{folder}/log", "wb")
        self.processes = []
        self.start("dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile")
        until(lambda: os.path.exists(address))
        self.start(JAMID, "-c", "-p", environment={
            "HOME": folder, "XDG_RUNTIME_DIR": folder, "DBUS_SESSION_BUS_ADDRESS": f"unix:path={address}",
            "PULSE_SERVER": "unix:/nonexistent", "PATH": os.environ["PATH"]})
        bus = until(lambda: self.connect(address))
        self.conf = dbus.Interface(
            bus.get_object(RING, "/cx/ring/Ring/ConfigurationManager"), RING + ".ConfigurationManager")

    def start(self, *arguments, environment=None):
        self.processes.append(subprocess.Popen(
            arguments, env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log))
        processes.append(self.processes[-1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.kill()
            process.wait()
        self.log.close()

    @staticmethod
    def connect(address):
        try:
            bus = dbus.bus.BusConnection(f"unix:path={address}")
            return bus if bus.name_has_owner(RING) else None
        except dbus.DBusException:
            return None

    def add(self, **more):
        """Makes an account, or imports one, and waits until it is on the network; None if it does not get there."""
        details = {str(key): str(value) for key, value in self.conf.getAccountTemplate("RING").items()}
        details.update({
            "Account.type": "RING", "Account.hostname": self.bootstrap, "Account.alias": "stock",
            "Account.upnpEnabled": "false", "Account.peerDiscovery": "false", "Account.accountDiscovery": "false",
            "Account.accountPublish": "false", "Account.proxyEnabled": "false", "Account.dhtProxyListUrl": "",
            "Account.proxyServer": "", "TURN.enable": "false", "RingNS.uri": "http://127.0.0.1:9"})
        details.update({"Account." + key: value for key, value in more.items()})
        account = self.conf.addAccount(dbus.Dictionary(details, signature="ss"))
        return account if until(lambda: self.status(account) == "REGISTERED") else None

    def status(self, account):
        return self.conf.getVolatileAccountDetails(account).get("Account.registrationStatus")

    def id(self, account):
        return str(self.conf.getAccountDetails(account)["Account.username"])

    def detail(self, account, key):
        return str(self.conf.getAccountDetails(account)["Account." + key])

    def device(self, account):
        return str(self.conf.getVolatileAccountDetails(account)["Account.deviceID"])

    def devices(self, account):
        return {str(device) for device in self.conf.getKnownRingDevices(account)}

    def contacts(self, account):
        return sorted(str(contact["id"]) for contact in self.conf.getContacts(account))


def archive(path):
    """The members of an archive without a password, but for the device that wrote it."""
    with gzip.open(path) as file:
        members = json.load(file)
    return {name: value for name, value in members.items()
            if name not in ("TLS.certificateFile", "TLS.privateKeyFile")}


def stock_to_swiftlet(daemon, folder, network):
    """An account without a password, with contacts; returns its id, and swiftlet's archive of it."""
    account = daemon.add(displayName="Döra")
    if not check("the stock daemon makes an account", account):
        return None, None
    for contact in CONTACTS:
        daemon.conf.addContact(account, contact)
    file, state, back = f"{folder}/stock.gz", f"{folder}/imported", f"{folder}/back.gz"
    check("the stock daemon exports it", daemon.conf.exportToFile(account, file, ""))
    imported = Swiftlet("account", "import", file, "--state", state).event("account-imported")
    check("swiftlet imports it under the same id", imported.get("account") == daemon.id(account))
    check("swiftlet is a device of its own", imported.get("longDevice") not in (None, daemon.device(account)))
    check("the name came along", imported.get("name") == "Döra")
    check("the contacts came along", imported.get("contacts") == 2)
    check("swiftlet exports it", Swiftlet("account", "export", back, "--state", state).code() == 0)
    check("what swiftlet exports is what the stock daemon exported", archive(back) == archive(file))

    listen = Swiftlet("listen", "--state", state, *network)
    check("swiftlet is on the network with it", listen.event("announced"))
    check("the stock daemon takes swiftlet for a device of the account",
          until(lambda: imported.get("longDevice") in daemon.devices(account)))
    other = f"{folder}/other"
    check("another swiftlet makes an account", Swiftlet("account", "create", "--state", other).code() == 0)
    message = Swiftlet("message", daemon.id(account), "hello", "--state", other, *network)
    check("it reaches the imported account's new device",
          message.event("delivered") and listen.event("message").get("text") == "hello")
    check("swiftlet ends well", listen.end() == 0)
    return imported.get("account"), back


def back_to_stock(daemon, identifier, file):
    """What swiftlet exported of a stock account."""
    account = daemon.add(archivePath=file)
    if not check("another stock daemon imports what swiftlet exported", account):
        return
    check("that account has the same id", daemon.id(account) == identifier)
    check("the contacts came along", daemon.contacts(account) == CONTACTS)
    check("the name came along", daemon.detail(account, "displayName") == "Döra")


def sealed_stock_to_swiftlet(daemon, folder):
    """An account with a password."""
    password = "trés secret"
    account = daemon.add(archivePassword=password)
    file, state = f"{folder}/stock.sealed", f"{folder}/imported-sealed"
    if not check("the stock daemon exports an account with a password",
                 account and daemon.conf.exportToFile(account, file, password)):
        return
    command = ("account", "import", file, "--state", state)
    check("swiftlet asks for the password", Swiftlet(*command).code() == 77)
    check("swiftlet refuses a wrong password", Swiftlet(*command, "--password-stdin", text="secret\n").code() == 77)
    right = Swiftlet(*command, "--password-stdin", text=password + "\n").event("account-imported")
    check("swiftlet imports it with the password", right.get("account") == daemon.id(account))


def swiftlet_to_stock(daemon, folder, made, password):
    """An account swiftlet made, while swiftlet is on the network with it."""
    how = "with a password" if password else "without a password"
    file, copy = f"{folder}/made-{len(password)}", f"{folder}/copy-{len(password)}"
    options = ("--password-stdin",) if password else ()
    export = Swiftlet("account", "export", file, "--state", f"{folder}/made", *options, text=password + "\n")
    check(f"swiftlet exports it {how}", export.code() == 0)
    account = daemon.add(archivePath=file, archivePassword=password)
    if not check(f"a stock daemon imports it {how} and is on the network", account):
        return
    check("the account has the same id", daemon.id(account) == made.get("account"))
    check("the name came along", daemon.detail(account, "displayName") == "Örs")
    check("the stock daemon is a device of its own", daemon.device(account) != made.get("longDevice"))
    check("the stock daemon takes swiftlet for a device of the account",
          until(lambda: made.get("longDevice") in daemon.devices(account)))
    check("the stock daemon knows whether there is a password",
          daemon.detail(account, "archiveHasPassword") == ("true" if password else "false"))
    check("the stock daemon exports it again", daemon.conf.exportToFile(account, copy, password))
    again = Swiftlet("account", "import", copy, "--state", copy + "-state", *options, text=password + "\n")
    check("swiftlet imports that", again.event("account-imported").get("account") == made.get("account"))


def run(folder):
    node = Swiftlet("dht", "node", "--bind", "127.0.0.1", "--bootstrap", "none")
    bootstrap = f"127.0.0.1:{node.event('listening').get('port')}"
    network = ("--bind", "127.0.0.1", "--bootstrap", bootstrap)
    with Daemon(f"{folder}/first", bootstrap) as daemon:
        identifier, file = stock_to_swiftlet(daemon, folder, network)
    if file:
        with Daemon(f"{folder}/second", bootstrap) as daemon:
            back_to_stock(daemon, identifier, file)
    with Daemon(f"{folder}/third", bootstrap) as daemon:
        sealed_stock_to_swiftlet(daemon, folder)

    state = f"{folder}/made"
    made = Swiftlet("account", "create", "--state", state, "--name", "Örs").event("account-created")
    check("swiftlet makes an account", made.get("account"))
    listen = Swiftlet("listen", "--state", state, *network)
    check("swiftlet is on the network with it", listen.event("announced"))
    for name, password in (("fourth", ""), ("fifth", "correct horse")):
        with Daemon(f"{folder}/{name}", bootstrap) as daemon:
            swiftlet_to_stock(daemon, folder, made, password)
    check("swiftlet ends well", listen.end() == 0)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: interop-accounts.py SWIFTLET")
    if not os.access(JAMID, os.X_OK):
        print(f"interop-accounts: skipped: there is no {JAMID}")
        return
    Swiftlet.program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        try:
            run(folder)
        finally:
            for process in reversed(processes):
                if process.poll() is None:
                    process.kill()
                process.wait()
    print(f"interop-accounts: {results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if results and all(results) else 1)


main()
