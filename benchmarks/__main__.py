"""`make bench`: every figure the issues ask for, beside the same stages done by hand."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.baseline import measure_by_hand
from benchmarks.databases import measure_databases
from benchmarks.figure import Figure, show, write_json
from benchmarks.message import measure_idle_memory, measure_messages
from benchmarks.running import running_platform


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, default=Path("bench.json"))
    parser.add_argument("--only", choices=tuple(STAGES), default=None)
    chosen = parser.parse_args()
    figures: list[Figure] = []
    for name, measure in STAGES.items():
        if chosen.only in (None, name):
            figures += measure()
            write_json(figures, chosen.json)  # a later stage that fails loses nothing
    ratio = _ratio(figures)
    if ratio:
        figures.append(ratio)
    show(figures)
    write_json(figures, chosen.json)
    sys.stdout.write(f"written to {chosen.json}\n")
    return 0


def _measure_platform() -> list[Figure]:
    with running_platform() as platform:
        ready = Figure(name="appfleet up, ready", unit="s", runs=(platform.ready_s,), target=25.0)
        idle = measure_idle_memory(platform)
        return [ready, *measure_messages(platform), idle]


STAGES: dict[str, Callable[[], list[Figure]]] = {
    "messages": _measure_platform,
    "baseline": measure_by_hand,
    "databases": lambda: asyncio.run(measure_databases()),
}


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
