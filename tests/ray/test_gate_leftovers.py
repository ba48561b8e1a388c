"""A process killed in the middle of a gate leaves nothing of the twin once the sweep has passed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from fleet.assembly import control_server
from fleet.drivers.bubblewrap.cgroup import ROOT
from fleet.drivers.postgres.store.store import PostgresStore
from fleet.settings import Settings
from tests.ray.test_killed_actors import actor_pids
from tests.running_platform import RunningPlatform

MESSAGE = "Track cheeses: name, age in months, price and whether I liked it"
TWIN_TIMEOUT_S = 60.0
SWEPT_TIMEOUT_S = 60.0
TWIN = "t-bld-*"


def twins_on_disk(settings: Settings) -> set[Path]:
    return set((settings.data_dir / "checkouts").glob(f"{TWIN}.json"))


def leftovers(settings: Settings, known: set[Path]) -> list[str]:
    """Whatever a twin is made of: files, sockets, groups, processes and inventory rows."""
    found = [str(p) for p in settings.data_dir.rglob(TWIN) if "artefacts" not in p.parts]
    found += [str(p) for p in ROOT.glob(f"*/{settings.run_dir.name}/{TWIN}")]
    found += [str(p) for p in sockets(settings) - known]
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if "t-bld-" in line and str(settings.data_dir) in line:
            found.append(f"process {process.pid} {line[:200]}")
    return found + asyncio.run(rows(settings))


async def rows(settings: Settings) -> list[str]:
    store = await PostgresStore.connect(control_server(settings).conninfo, migrate=False)
    try:
        return [f"{r.kind} {r.name}" for r in await store.resources() if r.scope != "project"]
    finally:
        await store.close()


def sockets(settings: Settings) -> set[Path]:
    return {p for folder in ("h", "s") for p in (settings.run_dir / folder).glob("*")}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("title", ["Verifier", "NodeAgent", "ProducerHost"])
def test_a_process_killed_in_mid_gate_leaves_nothing(platform: RunningPlatform, title: str) -> None:
    settings = Settings(data_dir=platform.data_dir)
    known = sockets(settings)
    code, posted = platform.run("new", f"{MESSAGE} ({title})", "--no-wait")
    assert code == 0
    project, build = posted["project"], posted["build"]
    before = twins_on_disk(settings)
    give_up_at = time.monotonic() + TWIN_TIMEOUT_S
    while not twins_on_disk(settings) - before:
        assert time.monotonic() < give_up_at, "no gate began"
        time.sleep(0.01)
    victims = actor_pids(platform, title)
    assert victims
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    finished = [e for e in platform.client().events(project, build)][-1]
    assert finished["kind"] == "build.finished"
    result = platform.client().get(f"/v1/projects/{project}/builds/{build}")
    assert result["state"] == "succeeded", result["explanation"]
    assert {task["attempts"] for task in result["tasks"]} == {1}, "never the app's failure"
    assert all(v["green"] for v in result["verdicts"])
    give_up_at = time.monotonic() + SWEPT_TIMEOUT_S
    own = 2  # the folder and the socket of the preview itself
    while len(left := leftovers(settings, known)) > own or any("t-bld" in x for x in left):
        assert time.monotonic() < give_up_at, left
        time.sleep(0.5)
