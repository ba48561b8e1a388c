"""`make bench`: every figure the issues ask for, beside the same stages done by hand."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from benchmarks.baseline import measure_by_hand
from benchmarks.databases import measure_databases
from benchmarks.figure import Figure, show, write_json
from benchmarks.message import measure_idle_memory, measure_messages
from benchmarks.running import running_platform


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, default=Path("bench.json"))
    parser.add_argument("--only", choices=("databases", "messages", "baseline"), default=None)
    chosen = parser.parse_args()
    figures: list[Figure] = []
    if chosen.only in (None, "databases"):
        figures += asyncio.run(measure_databases())
    if chosen.only in (None, "messages"):
        with running_platform() as platform:
            figures.append(
                Figure(name="appfleet up, ready", unit="s", runs=(platform.ready_s,), target=25.0)
            )
            idle = measure_idle_memory(platform)
            figures += [*measure_messages(platform), idle]
    if chosen.only in (None, "baseline"):
        figures += measure_by_hand()
    ratio = _ratio(figures)
    if ratio:
        figures.append(ratio)
    show(figures)
    write_json(figures, chosen.json)
    sys.stdout.write(f"written to {chosen.json}\n")
    return 0


def _ratio(figures: list[Figure]) -> Figure | None:
    by_name = {f.name: f for f in figures}
    ours = by_name.get("message → verified, running app")
    hand = by_name.get("the same stages by hand, cold")
    if ours is None or hand is None:
        return None
    return Figure(
        name="by hand / appfleet", unit="×", runs=(hand.median / ours.median,), note="of medians"
    )


if __name__ == "__main__":
    sys.exit(main())
