#!/usr/bin/python3
"""Prints a Markdown table of the figures that runs of interop.py wrote with --json: table.py FILE..."""
import json
import statistics
import sys

sys.dont_write_bytecode = True

from rows import ROWS  # noqa: E402


def times(results):
    """Each figure as median and maximum over the runs that passed, in milliseconds."""
    passed = [r["ms"] for r in results if r["result"] == "ok"]
    figures = []
    for name in passed[0] if passed else []:
        values = [figures[name] for figures in passed]
        figures.append(f"{name} {statistics.median(values):.0f} ({max(values)})")
    return ", ".join(figures)


def main():
    results = [result for path in sys.argv[1:] for result in json.load(open(path))]
    print("| row | what is tried | passed | median (maximum), ms |")
    print("| --- | --- | --- | --- |")
    for name, function in ROWS.items():
        own = [r for r in results if r.get("row") == name]
        passed = sum(r["result"] == "ok" for r in own)
        print(f"| `{name}` | {' '.join(function.__doc__.split())} | {passed} of {len(own)} | {times(own)} |")


if __name__ == "__main__":
    main()
