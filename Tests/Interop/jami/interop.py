#!/usr/bin/python3
"""Calls between our node and unmodified Jami daemons, in network namespaces of this machine.

Prints `ok <row> <ms>`, `FAIL <row>: why` or `skip <row>: why` for each row, then a summary; exits with 1 when a row
failed. The milliseconds are the first that the row measured; --json has them all. A row in which a stock daemon is
stopped by a known fault of its own, on the way from another stock daemon, is told (`again <row>: why`) and repeated.
Needs root.
"""
import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import threading

sys.dont_write_bytecode = True

import stock  # noqa: E402
from network import Network  # noqa: E402
from ours import LiveOurs, Ours  # noqa: E402
from programs import Failure, LockedUp, World, now  # noqa: E402
from rows import QUICK, ROWS, Skipped  # noqa: E402

# Neither is one of the frequencies of the ring-back that a stock caller plays to itself.
STOCK_TONE, OUR_TONE = 1000, 700


class Lab:
    """One stock daemon and one node of ours, on a network of their own."""

    def __init__(self, swiftlet, folder, level):
        self.world = World()
        self.folder = folder
        self.network = Network(self.world, folder)
        self.swiftlet = swiftlet
        self.level = level
        self.stock = self.ours = None
        self.guests = []
        self.guest_count = 0

    def start(self):
        threading.Thread(target=stock.run_signals, daemon=True).start()
        self.network.start()
        self.stock = stock.Stock(self.network, "stock", STOCK_TONE, OUR_TONE)
        self.ours = Ours(self.network, "ours", OUR_TONE, STOCK_TONE, self.swiftlet, self.level)
        self.stock.start()
        self.ours.start()

    # Parties of one row, so that what they did to their accounts ends with it.

    def stock_guest(self, archive=None):
        """A further stock daemon, with an account of its own or the one in an archive."""
        return self._receive(stock.Stock(self.network, self._name("stock"), STOCK_TONE, OUR_TONE), archive=archive)

    def guest(self, *arguments, archive=None, is_live=False):
        """A further node of ours, with an account of its own or the one in an archive; listens with `arguments`."""
        kind = LiveOurs if is_live else Ours
        return self._receive(
            kind(self.network, self._name("ours"), OUR_TONE, STOCK_TONE, self.swiftlet, "debug"), *arguments,
            archive=archive)

    def _name(self, kind):
        self.guest_count += 1
        return f"{kind}-{self.guest_count}"

    def _receive(self, guest, *arguments, archive):
        self.guests.append(guest)
        guest.start(*arguments, archive=archive)
        return guest

    def archive(self, party):
        """The file that a party's account was exported to."""
        path = os.path.join(self.folder, party.name + ".gz")
        party.export(path)
        return path

    def dismiss(self):
        for guest in reversed(self.guests):
            guest.close()
            self.network.remove(guest.space)
        self.guests = []

    def quiet(self):
        for party in (self.stock, self.ours):
            party.quiet()

    def start_over(self):
        """After a failure, so that the next row does not inherit it."""
        for party in (self.stock, self.ours):
            party.restart()

    def close(self):
        for part in (*self.guests[::-1], self.ours, self.stock, self.network):
            if part:
                part.close()


# How often a row is begun at most.
ATTEMPTS = 3


def run_row(lab, name, number, attempt=1):
    result = {"row": name, "run": number, "attempt": attempt}
    start = now()
    try:
        lab.quiet()
        figures = ROWS[name](lab)
        result.update(result="ok", ms=figures)
        print(f"ok {name} {next(iter(figures.values()))}", flush=True)
    except Skipped as why:
        result.update(result="skip", why=str(why))
        print(f"skip {name}: {why}", flush=True)
    except LockedUp as why:
        is_last = attempt == ATTEMPTS
        result.update(result="FAIL" if is_last else "again", why=str(why))
        print(f"{result['result']} {name}: {why}", flush=True)
        lab.start_over()
    except Failure as why:
        result.update(result="FAIL", why=str(why))
        print(f"FAIL {name}: {why}", flush=True)
        lab.start_over()
    finally:
        lab.dismiss()
    if result["result"] == "again":
        return run_row(lab, name, number, attempt + 1)
    result["seconds"] = round(now() - start, 1)
    return result


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("swiftlet", help="the built program")
    parser.add_argument("--runs", type=int, default=1, help="how often every row runs")
    parser.add_argument("--rows", default=",".join(ROWS), help="which rows, with commas: " + ", ".join(ROWS))
    parser.add_argument("--quick", action="store_true", help="only rows that take a few seconds: " + ", ".join(QUICK))
    parser.add_argument("--json", metavar="FILE", help="where to write all figures")
    parser.add_argument("--keep", action="store_true", help="keep the logs and recordings, and say where they are")
    options = parser.parse_args()
    options.rows = QUICK if options.quick else options.rows.split(",")
    unknown = [name for name in options.rows if name not in ROWS]
    if unknown:
        parser.error("there is no row " + ", ".join(unknown))
    return options


def main():
    options = arguments()
    # An exception, so that what was started is ended.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    folder = tempfile.mkdtemp(prefix="swiftlet-jami-")
    lab = Lab(options.swiftlet, folder, "debug" if options.keep else "warning")
    results = []
    try:
        lab.start()
        for number in range(1, options.runs + 1):
            results += [run_row(lab, name, number) for name in options.rows]
    except Failure as why:
        results.append({"result": "FAIL", "why": str(why)})
        print(f"FAIL: {why}", flush=True)
    finally:
        lab.close()
        if options.keep:
            print("logs are in", folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(results, file, indent=1)
    counts = {kind: sum(r["result"] == kind for r in results) for kind in ("ok", "FAIL", "skip")}
    print(f"interop-jami: {counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
