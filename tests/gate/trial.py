"""Puts faults and green apps before a gate, a bounded number at a time, and keeps what it said."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from fleet.domain.ids import CommitId, ProjectId
from fleet.domain.verdict import CheckResult, GateNotice, Verdict, VerdictState
from fleet.errors import InfrastructureError
from fleet.ports import OnCheck
from tests.gate.corpus import App, Catch, Fault, Stage, broken, judge, load_apps
from tests.gate.workshop import Workshop

# A change that no user of the app can see, in a browser file, so that its pages are opened.
_TOUCHED = "src/navigation.ts"


@dataclass(frozen=True)
class Trial:
    """`verdict` is None when the gate could not judge, twice; `reason` then says why."""

    verdict: Verdict | None
    reason: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of one fault. `verdict` is None, too, when it was caught and no more asked."""

    fault: Fault
    catch: Catch
    reason: str
    verdict: Verdict | None


@dataclass
class Trials:
    """Every app has two projects: an empty one, and one whose dev holds the app and rows.

    `hasty`: a fault's gate is broken off as soon as the check that is named has caught it.
    """

    workshop: Workshop
    room: asyncio.Semaphore
    hasty: bool = False
    _projects: dict[tuple[str, Stage], asyncio.Task[CommitId | None]] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def fault(self, fault: Fault) -> Outcome:
        app = load_apps()[fault.app]
        files = await asyncio.to_thread(broken, app, fault)
        caught = asyncio.Event()

        def hear(told: CheckResult | GateNotice) -> None:
            if isinstance(told, CheckResult) and self.hasty and _catches(fault, told):
                caught.set()

        trial = await _unless(caught, self._run(app, files, fault.stage, hear))
        if trial is None:
            return Outcome(fault, Catch.NAMED, "", None)
        if trial.verdict is None:
            return Outcome(fault, Catch.UNJUDGED, trial.reason, None)
        catch, reason = judge(fault, trial.verdict)
        return Outcome(fault, catch, reason, trial.verdict)

    async def green(self, app: App, stage: Stage) -> Trial:
        """A tree that nobody has judged before."""
        number = next(self._numbers)
        files = dict(app.files)
        files["README.md"] += f"\nTrial {number}.\n"
        if stage is Stage.FOLLOW_UP:
            files[_TOUCHED] += f"\n// Trial {number}.\n"
        return await self._run(app, files, stage)

    async def warm_up(self) -> None:
        """The package store, the first Vite start and Chromium are paid once, not by a fault."""
        await self.green(next(iter(load_apps().values())), Stage.FIRST)

    async def _run(
        self,
        app: App,
        files: Mapping[str, str],
        stage: Stage,
        on_check: OnCheck | None = None,
    ) -> Trial:
        async with self.room:
            trial = await self._judge(app, files, stage, on_check)
            if trial.verdict is None:
                trial = await self._judge(app, files, stage, on_check)
            return trial

    async def _judge(
        self, app: App, files: Mapping[str, str], stage: Stage, on_check: OnCheck | None
    ) -> Trial:
        base = await self._base(app, stage)
        project = _project(app, stage)
        try:
            verdict = await self.workshop.verify(project, files, app.contract, base, on_check)
        except InfrastructureError as error:
            return Trial(None, str(error))
        if verdict.state is VerdictState.NOT_VERIFIED:
            return Trial(None, "; ".join(f"{r.check}: {r.note}" for r in verdict.unrun))
        return Trial(verdict)

    async def _base(self, app: App, stage: Stage) -> CommitId | None:
        key = (app.name, stage)
        if key not in self._projects:
            self._projects[key] = asyncio.create_task(self._start(app, stage))
        return await asyncio.shield(self._projects[key])

    async def _start(self, app: App, stage: Stage) -> CommitId | None:
        project = _project(app, stage)
        if stage is Stage.FIRST:
            await self.workshop.start_project(project)
            return None
        return await self.workshop.start_follow_up(project, app.files, app.rows_sql)


def _catches(fault: Fault, result: CheckResult) -> bool:
    alone = Verdict(commit=CommitId(""), results=(result,), elapsed_s=0.0)
    return judge(fault, alone)[0] is Catch.NAMED


async def _unless(event: asyncio.Event, work: Coroutine[Any, Any, Trial]) -> Trial | None:
    """None when the event came first: the work is given up then."""
    working, waiting = asyncio.create_task(work), asyncio.create_task(event.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, waiting):
            task.cancel()
        await asyncio.wait({working, waiting})


def _project(app: App, stage: Stage) -> ProjectId:
    return ProjectId(f"{app.name}-{'first' if stage is Stage.FIRST else 'again'}")
