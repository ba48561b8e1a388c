"""How long a warm verdict takes: ten procedures, five pages, real drivers, nothing remembered.

`python -m benchmarks.verdict [RUNS]` prints the median and worst seconds, the processor seconds
of one gate, and the median of each phase. Quiet machines only: on a busy one
read the processor seconds.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import sys
import time
from collections import defaultdict
from contextlib import suppress

import psutil

from fleet.domain.ids import ProjectId
from tests.gate.corpus import load_apps
from tests.gate.workshop import open_workshop

APP = "billing"
PROJECT = ProjectId("verdict-bench")
PAUSE_S = 0.5


def processor_s() -> float:
    """Processor seconds of this process and of all it ever started."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])  # its own, and its ended children's
    return total


async def measure(runs: int) -> None:
    app = load_apps()[APP]
    files = dict(app.files)
    walls: list[float] = []
    processors: list[float] = []
    phases: dict[str, list[float]] = defaultdict(list)
    async with open_workshop() as workshop:
        await workshop.start_project(PROJECT)
        for number in range(runs + 1):
            files["README.md"] += f"\nRun {number}.\n"
            before, began = processor_s(), time.monotonic()
            verdict = await workshop.verify(PROJECT, files, app.contract)
            wall = time.monotonic() - began
            await workshop.gate.close()
            if not verdict.green:
                raise SystemExit(f"not green: {verdict.findings} {verdict.unrun}")
            if number:  # the first fills the package store and starts Chromium
                walls.append(wall)
                processors.append(processor_s() - before)
                for name, seconds in verdict.phases.items():
                    phases[name].append(seconds)
            await asyncio.sleep(PAUSE_S)
    count = len(app.contract.procedures)
    print(f"{APP}: {count} procedures, {len(app.contract.pages)} pages, {runs} runs")
    print(f"verdict    median {statistics.median(walls):.2f} s   worst {max(walls):.2f} s")
    print(f"processor  median {statistics.median(processors):.2f} s  least {min(processors):.2f} s")
    for name, spent in phases.items():
        print(f"  {name:<16} {statistics.median(spent):.2f} s")


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
