"""Results as text: a line for people who wait, and a table for the documentation."""

import json
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
MARKERS = ("<!-- results -->", "<!-- end of results -->")


def quantile(values, part):
    return values[min(len(values) - 1, int(len(values) * part))] if values else None


def milliseconds(value):
    return "–" if value is None else f"{value:.0f}"


def share(result):
    reached = result["reached"]
    return f"{sum(one == result['expected'] for one in reached)}/{len(reached)}"


def line(result):
    if "error" in result:
        return f"FAIL {result['cell']}  {result['error']}"
    connected, completed = result["connected_ms"], result["completed_ms"]
    others = sorted(set(result["reached"]) - {result["expected"]})
    return (
        f"{'ok  ' if result['green'] else 'FAIL'} {result['cell']}  {result['expected']} {share(result)}"
        + (f" (else {', '.join(others)})" if others else "")
        + f"  connected {milliseconds(quantile(connected, 0.5))}/{milliseconds(quantile(connected, 0.95))} ms"
        + f" (goal {result['goal_ms']:.0f}), settled {milliseconds(quantile(completed, 0.5))} ms"
        + (f", silent for {max(result['silence_ms'])} ms at most" if result["silence_ms"] else ""))


def reference():
    """Connect times of other agents in a network of the same kinds: {cell: {agent: milliseconds or None}}."""
    with open(os.path.join(HERE, "reference.json"), encoding="utf-8") as file:
        return json.load(file)["cells"]


def rows(results):
    known = reference()
    yield "| network | best pair | reached | connected, median / p95 ms | goal ms | settled ms | libjuice ms | aioice ms |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for result in results:
        if "error" in result:
            yield f"| {result['cell']} | {result['expected']} | not built | | | | | |"
            continue
        others = known.get(result["cell"], {})
        show = lambda agent: ("" if agent not in others else "fails" if others[agent] is None else f"{others[agent]:.0f}")
        connected, completed = result["connected_ms"], result["completed_ms"]
        yield (
            f"| {result['cell']} | {result['expected']} | {share(result)}"
            f" | {milliseconds(quantile(connected, 0.5))} / {milliseconds(quantile(connected, 0.95))}"
            f" | {result['goal_ms']:.0f} | {milliseconds(quantile(completed, 0.5))}"
            f" | {show('libjuice')} | {show('aioice')} |")


def replace(path, results, runs):
    """Puts the table between the markers of a document."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    green = sum(result["green"] for result in results)
    summary = f"{green} of {len(results)} cells are green, {runs} runs each."
    body = "\n".join([MARKERS[0], "", summary, "", *rows(results), "", MARKERS[1]])
    pattern = re.escape(MARKERS[0]) + ".*?" + re.escape(MARKERS[1])
    with open(path, "w", encoding="utf-8") as file:
        file.write(re.sub(pattern, lambda _: body, text, flags=re.S))
