"""What the checks wait for: the twin's tree, its database, its process and its pages.

Each is a task that any number of checks may wait for (shielded: one check's end is not the
stage's); one that the app itself makes impossible raises `Stopped`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fleet.domain.verdict import CheckName, Finding
from fleet.errors import MigrationFailed, WorkloadCrashed
from fleet.ports import Browser, Clock, Runtime, Store, Timelines
from fleet.verification.answers import judge_crash, judge_migration
from fleet.verification.browse import browser_files_changed
from fleet.verification.bundle import BUNDLE, judge_bundle
from fleet.verification.sandbox import Executes
from fleet.verification.soundness import Soundness
from fleet.verification.subject import Subject
from fleet.verification.twin import Twin, branch_twin

_UNWIND_S = 10.0


@dataclass(frozen=True)
class Patience:
    """Seconds: each check's deadline, and what a red verdict waits for the others' evidence.

    The grace is at least `grace_s`, and as long as it took to become red: a slow machine or app
    slows all checks alike, and a mend that knows all that is wrong saves a whole attempt.
    """

    typescript_s: float = 60.0
    contract_s: float = 60.0
    tests_s: float = 60.0
    browse_s: float = 60.0
    grace_s: float = 3.0

    def of(self, check: CheckName) -> float:
        return {
            CheckName.TYPESCRIPT: self.typescript_s,
            CheckName.CONTRACT: self.contract_s,
            CheckName.TESTS: self.tests_s,
            CheckName.BROWSE: self.browse_s,
        }[check]


@dataclass(frozen=True)
class Tools:
    """What a run works with."""

    store: Store
    timelines: Timelines
    runtime: Runtime
    browser: Browser
    clock: Clock
    patience: Patience


class Stopped(Exception):
    """The app cannot be run: `findings` say why, `why` tells the checks that need it."""

    def __init__(self, findings: list[Finding], why: str) -> None:
        super().__init__(why)
        self.findings = findings
        self.why = why


class Stages:
    """All of them are under way once this is made; `started` gives the app's socket."""

    def __init__(
        self,
        subject: Subject,
        twin: Twin,
        tools: Tools,
        soundness: Soundness,
        sandbox: Executes,
    ) -> None:
        self.phases: dict[str, float] = {}
        self._subject = subject
        self._twin = twin
        self._tools = tools
        self._soundness = soundness
        self._sandbox = sandbox
        self.prepared = asyncio.create_task(self._prepare(), name="prepare")
        self.branched = asyncio.create_task(self._branch(), name="branch")
        self.migrated = asyncio.create_task(self._migrate(), name="migrate")
        self.started = asyncio.create_task(self._start(), name="start")
        self.bundled = asyncio.create_task(self._bundle(), name="bundle")

    @property
    def all(self) -> tuple[asyncio.Task[Any], ...]:
        return (self.prepared, self.branched, self.migrated, self.started, self.bundled)

    async def _prepare(self) -> None:
        async with self.timed("prepare"):
            try:
                await self._tools.runtime.prepare(self._twin.workload)
            except WorkloadCrashed as crash:
                why = "The app's tree cannot be prepared."
                raise Stopped([judge_crash(crash)], why) from crash

    async def _branch(self) -> None:
        async with self.timed("branch"):
            await branch_twin(self._twin, self._tools.store, self._tools.timelines)

    async def _migrate(self) -> None:
        await asyncio.shield(self.branched)
        async with self.timed("migrate"):
            try:
                await self._tools.timelines.migrate(self._twin.endpoint, self._subject.migrations)
            except MigrationFailed as failure:
                found = [judge_migration(failure, self._subject)]
                raise Stopped(found, "A migration fails, so the app was not started.") from failure
        await self._soundness.begin()

    async def _start(self) -> str:
        await asyncio.shield(self.prepared)
        await asyncio.shield(self.migrated)
        async with self.timed("start"):
            try:
                status = await self._tools.runtime.start(self._twin.workload)
            except WorkloadCrashed as crash:
                raise Stopped([judge_crash(crash)], "The app does not start.") from crash
        return status.socket

    async def _bundle(self) -> list[Finding]:
        """What keeps the pages from being bundled; they are only when one will be opened."""
        subject = self._subject
        if not subject.request.contract.pages or not browser_files_changed(subject.changed):
            return []
        await asyncio.shield(self.prepared)
        async with self.timed("bundle"):
            return judge_bundle(await self._sandbox.execute(self._twin.workload.id, BUNDLE))

    @asynccontextmanager
    async def timed(self, phase: str) -> AsyncIterator[None]:
        started = self._tools.clock.monotonic()
        try:
            yield
        finally:
            self.phases[phase] = round(self._tools.clock.monotonic() - started, 3)


async def unwind(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Ends what nobody waits for any more, and takes note of how each ended."""
    unfinished = [task for task in tasks if not task.done()]
    for task in unfinished:
        task.cancel()
    if unfinished:
        await asyncio.wait(unfinished, timeout=_UNWIND_S)
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()  # told by whoever waited for it
