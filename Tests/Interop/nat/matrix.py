#!/usr/bin/env python3
"""Runs two ICE peers against each other over the whole grid and judges what they reached.

Usage: matrix.py PEER [--quick | --loss] [--runs N] [--cells "A B"] [--limit MS] [--json FILE] [--table FILE]

PEER is run as PEER [--tcp --simultaneous] [--map] [--names] [--predict] [--birthday] [--talk MS] DIR ME OTHER TURN LIMIT_MS
on both hosts and prints one JSON object. A cell is green when every run ended with data in both directions over the best kind of
pair that theory allows, or on lossy lines over any, and where a host moves with a short silence only.
With --quick a cell that is not green gets a second try, as one run on a busy machine may meet a pause of the machine.
Times are shown beside their goals and judged by nobody, as they say as much about the machine.
"""

import argparse
import json
import os
import signal
import shutil
import subprocess
import sys
import tempfile
import time

import cells
import lab
import table


# How long a session talks that is to survive a move, and when that comes.
TALK_MS, MOVE_AFTER_S = 8_000, 1.5


def run_once(built, cell, peer, limit):
    """One session; returns what both sides printed."""
    folder = tempfile.mkdtemp(prefix="swiftlet-peer-")
    options = (["--tcp", "--simultaneous"] if cell.tcp else []) + (["--map"] if "mapping" in cell.ways else [])
    options += ["--predict"] if "prediction" in cell.ways else []
    options += ["--names"] if cell.names else []
    options += ["--talk", str(TALK_MS)] if cell.moves else []
    options += ["--birthday"] if "birthday" in cell.ways else []
    relays = "0" if cell.birthday else "1"
    try:
        processes = [
            subprocess.Popen(
                built.command(me, ["timeout", str(limit // 1000 + 10), peer, *options, folder, me, other, relays, str(limit)]),
                stdout=subprocess.PIPE, text=True)
            for me, other in ("ab", "ba")
        ]
        if cell.moves:
            time.sleep(MOVE_AFTER_S)
            built.move("a")
        return [read(process.communicate()[0]) for process in processes]
    finally:
        shutil.rmtree(folder)


def read(output):
    try:
        return json.loads(output.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return {"ok": False, "end": "no result"}


def kind(sides):
    """What kind of pair a run ended with."""
    if not all(side["ok"] for side in sides):
        return cells.NONE
    # With a relay in the pair one side at least sees it.
    words = {side.get(end) for side in sides for end in ("local", "remote")}
    return cells.RELAY if "relay" in words else cells.DIRECT


def run_cell(cell, peer, runs, limit, seed):
    a, b = lab.read_topology(cell.topology)
    line = lab.Line(cell.line.delay_ms, cell.line.jitter_ms, cell.line.loss_percent, seed)
    results = []
    # A move changes the network for good.
    for _ in range(runs if cell.moves else 1):
        with lab.Lab(a, b, line, overlap=cell.overlap) as built:
            results += [run_once(built, cell, peer, limit) for _ in range(1 if cell.moves else runs)]
    reached = [kind(sides) for sides in results]
    times = lambda key: sorted(
        max(side[key] for side in sides) for sides in results if all(key in side for side in sides))
    return {
        "cell": cell.name, "expected": cell.expected, "reached": reached,
        "green": all(one in cell.accepted for one in reached) and all(
            side.get("silence_ms", 0) <= cells.SILENCE_LIMIT_MS for sides in results for side in sides),
        "silence_ms": times("silence_ms"), "goal_ms": cell.goal_ms(cell.expected),
        "connected_ms": times("connected_ms"), "completed_ms": times("completed_ms"), "gather_ms": times("gather_ms"),
        "control": sorted(sum(side.get("control", 0) for side in sides) for sides in results), "runs": results,
    }


def try_cell(cell, peer, runs, limit, seed):
    """A cell's result, also where it could not be built."""
    try:
        return run_cell(cell, os.path.abspath(peer), runs, limit, seed)
    except lab.LabError as error:
        return {"cell": cell.name, "expected": cell.expected, "reached": [], "green": False, "error": str(error)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer")
    parser.add_argument("--quick", action="store_true", help="one run of each cell, or two")
    parser.add_argument("--loss", action="store_true", help="only the cells that lose packets, 200 runs each")
    parser.add_argument("--runs", type=int)
    parser.add_argument("--cells", help="only these, separated by spaces")
    parser.add_argument("--limit", type=int, default=12_000, help="milliseconds a session may take")
    parser.add_argument("--json", help="write all results here")
    parser.add_argument("--table", help="put the table of results into this document")
    options = parser.parse_args()
    chosen = cells.lossy() if options.loss else cells.grid()
    if options.cells:
        chosen = [cells.Cell.read(text) for text in options.cells.split()]
    runs = options.runs or (1 if options.quick else 200 if options.loss else 20)
    start, results = time.monotonic(), []
    for cell in chosen:
        # A cell in which theory allows nothing need not be waited for in full.
        limit = options.limit if cell.expected != cells.NONE else min(options.limit, 3_000)
        if cell.birthday:
            limit = max(limit, 20_000)  # a thousand packets, a hundred a second
        result = try_cell(cell, options.peer, runs, limit, seed=len(results) + 1)
        if options.quick and not result["green"]:
            print(f"{table.line(result)}; once more", flush=True)
            result = try_cell(cell, options.peer, runs, limit, seed=len(results) + 1001)
        results.append(result)
        print(table.line(result), flush=True)
    green = sum(result["green"] for result in results)
    print(f"{green} of {len(results)} cells are green, {runs} runs each, {time.monotonic() - start:.0f} s")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    if options.table:
        table.replace(options.table, results, runs)
    return green < len(results)


if __name__ == "__main__":
    # An end from outside takes the networks down as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
