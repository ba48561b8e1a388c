"""A gate whose machine fails under it: a right verdict or none, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import replace

import psutil
import pytest
import pytest_asyncio

from fleet.domain.ids import CommitId, ProjectId, dev_endpoint, dev_timeline
from fleet.domain.verdict import (
    CheckName,
    CheckOutcome,
    CheckResult,
    GateRequest,
    Verdict,
    VerdictState,
)
from fleet.domain.workload import WorkloadState
from fleet.drivers.bubblewrap.cgroup import ROOT
from fleet.drivers.chromium.browser import ChromiumBrowser
from fleet.errors import InfrastructureError
from fleet.lifecycle.delete import delete_project
from fleet.lifecycle.world import World
from fleet.verification.stages import Patience
from fleet.verification.twin import twin_of
from tests.gate.corpus import load_apps
from tests.gate.workshop import Workshop, open_workshop

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

PROJECT = ProjectId("gate-k1l2m")
APP = load_apps()["billing"]
HANGING = 'import { test } from "vitest";\ntest("hangs", () => new Promise(() => {}), 99_000);\n'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workshop() -> AsyncIterator[Workshop]:
    async with open_workshop() as opened:
        await opened.start_project(PROJECT)
        yield opened


async def request_for(workshop: Workshop, changes: Mapping[str, str] | None = None) -> GateRequest:
    commit = await workshop.commit(PROJECT, {**APP.files, **(changes or {})})
    return workshop.request(PROJECT, commit, APP.contract)


async def awake(workshop: Workshop, request: GateRequest, *states: WorkloadState) -> None:
    """Returns once the request's twin is in one of the states, by default serving."""
    wanted = states or (WorkloadState.AWAKE,)
    async with asyncio.timeout(100):
        while True:
            status = await workshop.runtime.status(twin_of(request).workload.id)
            if status.state in wanted:
                return
            await asyncio.sleep(0.002)


async def nothing_is_left(workshop: Workshop) -> None:
    await workshop.gate.close()
    assert await workshop.runtime.workloads() == []
    assert await workshop.timelines.endpoints() == []
    assert set(await workshop.timelines.timelines()) <= {dev_timeline(PROJECT)}
    assert [r for r in await workshop.store.resources(PROJECT) if r.scope != "project"] == []
    root = workshop.artefacts.parent
    assert not [p for p in (root / "data").rglob("t-bld*")]
    assert not [p for p in ROOT.glob(f"*/{root.name}/t-bld*")]
    for folder in ("h", "s"):
        assert list((root / root.name / folder).glob("*")) == []


async def once(happens: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while True:
            if happens():
                return
            await asyncio.sleep(0.01)


def processes(*words: str) -> list[psutil.Process]:
    """Our own descendants whose command line holds all the words."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            line = " ".join(process.cmdline())
        except psutil.NoSuchProcess:
            continue
        if all(word in line for word in words):
            found.append(process)
    return found


def kill(victims: list[psutil.Process]) -> None:
    for process in victims:
        with suppress(ProcessLookupError):  # it died with one before it
            os.kill(process.pid, signal.SIGKILL)


async def test_a_killed_chromium_costs_time_and_no_verdict(workshop: Workshop) -> None:
    await workshop.gate.verify(await request_for(workshop))  # warm: Chromium runs
    running = asyncio.create_task(workshop.gate.verify(await request_for(workshop)))
    await once(lambda: bool(processes("--type=renderer")) or running.done())
    assert not running.done()
    kill([p for p in processes("--headless") if "--type=" not in " ".join(p.cmdline())])
    verdict = await running
    assert verdict.state is VerdictState.GREEN, verdict.findings
    await nothing_is_left(workshop)


async def test_a_killed_twin_is_no_fault_of_the_app(workshop: Workshop) -> None:
    request = await request_for(workshop)
    running = asyncio.create_task(workshop.gate.verify(request))
    await awake(workshop, request)
    kill(processes("node", "server/main.ts", "--production"))
    with pytest.raises(InfrastructureError, match=r"from outside|killed"):
        await running
    await nothing_is_left(workshop)


async def test_a_killed_database_is_no_fault_of_the_app(workshop: Workshop) -> None:
    request = await request_for(workshop)
    running = asyncio.create_task(workshop.gate.verify(request))
    await awake(workshop, request)
    kill(processes("postgres", "-D"))
    try:
        verdict = await running
    except InfrastructureError:
        pass
    else:  # woken again before anything asked it
        assert verdict.state is VerdictState.GREEN, verdict.findings
    await nothing_is_left(workshop)


async def test_without_chromium_nothing_is_verified_and_the_note_says_what_to_do(
    workshop: Workshop,
) -> None:
    gate = replace(workshop.gate, browser=ChromiumBrowser("/nowhere/chromium"))
    verdict = await gate.verify(await request_for(workshop))
    assert verdict.state is VerdictState.NOT_VERIFIED
    assert not verdict.green
    assert not verdict.findings
    (unrun,) = verdict.unrun
    assert unrun.check is CheckName.BROWSE
    assert "appfleet doctor" in unrun.note
    await gate.close()


async def test_a_red_verdict_does_not_wait_for_a_suite_that_hangs(workshop: Workshop) -> None:
    gate = replace(workshop.gate, patience=Patience(grace_s=0.5))
    wrong = APP.files["server/router.ts"] + '\nexport const wrong: number = "text";\n'
    changes = {"server/router.ts": wrong, "tests/hang.test.ts": HANGING}
    verdict = await gate.verify(await request_for(workshop, changes))
    outcomes = {r.check: r.outcome for r in verdict.results}
    assert outcomes[CheckName.TYPESCRIPT] is CheckOutcome.FAILED
    assert outcomes[CheckName.TESTS] is CheckOutcome.CUT
    assert verdict.state is VerdictState.RED
    assert not verdict.whole
    assert verdict.elapsed_s < 40
    await gate.close()


async def test_a_suite_past_its_deadline_is_the_apps_fault(workshop: Workshop) -> None:
    gate = replace(workshop.gate, patience=Patience(tests_s=8))
    verdict = await gate.verify(await request_for(workshop, {"tests/hang.test.ts": HANGING}))
    (tests,) = [r for r in verdict.results if r.check is CheckName.TESTS]
    assert [f.code for f in tests.findings] == ["tests-timeout"]
    await gate.close()


async def test_two_gates_of_one_name_take_turns(workshop: Workshop) -> None:
    request = await request_for(workshop)
    told: list[CheckResult] = []
    first, second = await asyncio.gather(
        workshop.gate.verify(request, told.append), workshop.gate.verify(request, told.append)
    )
    assert (first.state, second.state) == (VerdictState.GREEN, VerdictState.GREEN)
    assert len(told) == 2 * len(CheckName)
    await nothing_is_left(workshop)


@pytest.mark.parametrize(
    "moment",
    [(WorkloadState.STOPPED, WorkloadState.STARTING), (WorkloadState.AWAKE,)],
    ids=["preparing", "serving"],
)
async def test_a_cancelled_gate_leaves_nothing(
    workshop: Workshop, moment: tuple[WorkloadState, ...]
) -> None:
    request = await request_for(workshop)
    running = asyncio.create_task(workshop.gate.verify(request))
    await awake(workshop, request, *moment)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await nothing_is_left(workshop)


async def remembered(workshop: Workshop, commit: CommitId) -> Verdict:
    request = workshop.request(PROJECT, commit, APP.contract)
    return await workshop.gate.verify(request.model_copy(update={"fresh": False}))


async def test_the_same_inputs_are_judged_once_and_said_to_be(workshop: Workshop) -> None:
    commit = await workshop.commit(PROJECT, APP.files)
    if dev_timeline(PROJECT) not in await workshop.timelines.timelines():
        await workshop.timelines.create(dev_timeline(PROJECT))
    await workshop.timelines.point(dev_endpoint(PROJECT), dev_timeline(PROJECT))
    try:
        first = await remembered(workshop, commit)
        again = await remembered(workshop, commit)
        assert first.green
        assert not first.cached_from
        assert again.cached_from.startswith("bld_test.")
        assert all(result.recalled for result in again.results)
        assert again.results == tuple(
            result.model_copy(update={"recalled": True}) for result in first.results
        )
        assert again.elapsed_s < first.elapsed_s
        await workshop.timelines.query(
            dev_endpoint(PROJECT), "create table new_data (id int)", read_only=False
        )
        changed = await remembered(workshop, commit)
        assert not changed.cached_from, "dev's data is an input too"
        afresh = await workshop.gate.verify(workshop.request(PROJECT, commit, APP.contract))
        assert not afresh.cached_from
    finally:
        await workshop.timelines.query(
            dev_endpoint(PROJECT), "drop table if exists new_data", read_only=False
        )
        await workshop.timelines.remove_endpoint(dev_endpoint(PROJECT))


async def test_a_deleted_projects_screenshots_go_with_it(workshop: Workshop) -> None:
    project = ProjectId("gate-z9y8x")
    await workshop.start_project(project)
    commit = await workshop.commit(project, APP.files)
    await workshop.gate.verify(workshop.request(project, commit, APP.contract))
    await workshop.gate.close()
    assert list((workshop.artefacts / project).rglob("*.png"))
    world = World(
        store=workshop.store,
        repositories=workshop.git,
        timelines=workshop.timelines,
        runtime=workshop.runtime,
        artefacts_dir=workshop.artefacts,
    )
    assert await delete_project(world, project, "tester")
    assert not (workshop.artefacts / project).exists()
