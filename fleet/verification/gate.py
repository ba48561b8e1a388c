"""The gate: four checks against one commit, as concurrent as they can be, on a throwaway twin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from fleet.domain.verdict import CheckName, CheckResult, Finding, GateRequest, Verdict
from fleet.errors import AppError, InfrastructureError, MigrationFailed, WorkloadCrashed
from fleet.ports import (
    Browser,
    Clock,
    OnCheck,
    Repositories,
    Runtime,
    Scaffold,
    Store,
    Timelines,
)
from fleet.verification.browse import check_browse
from fleet.verification.contract import check_contract, judge_crash, judge_migration
from fleet.verification.evidence import blocked, judged
from fleet.verification.subject import Subject, inside, prefix_of
from fleet.verification.tests import check_tests
from fleet.verification.twin import (
    Twin,
    branch_twin,
    has_leftovers,
    register_twin,
    remove_twin,
    twin_of,
)
from fleet.verification.typescript import check_typescript

CHECK_TIMEOUT_S = 120.0
# A teardown costs the next gate little, a queue of them does.
_MAX_TEARDOWNS = 4
_ORDER = list(CheckName)
_log = structlog.get_logger(__name__)


@dataclass
class _Run:
    """One gate run in progress."""

    subject: Subject
    twin: Twin
    on_check: OnCheck | None
    results: list[CheckResult] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)

    def add(self, result: CheckResult) -> None:
        self.results.append(result)
        if self.on_check is not None:
            self.on_check(result)


@dataclass
class Gate:
    """Gatekeeper on real drivers. `close` waits for the teardowns that are still under way."""

    repositories: Repositories
    timelines: Timelines
    runtime: Runtime
    browser: Browser
    store: Store
    scaffold: Scaffold
    artefacts_dir: Path
    clock: Clock
    _teardowns: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def verify(self, request: GateRequest, on_check: OnCheck | None = None) -> Verdict:
        """Raises InfrastructureError when it could not judge; the twin is removed either way."""
        started = self.clock.monotonic()
        twin = twin_of(request)
        await self._wait_for_room(twin)
        try:
            run = _Run(await self._subject(request), twin, on_check)
            async with self._timed(run, "register"):
                if await has_leftovers(twin, self.store):
                    await remove_twin(twin, self.store, self.timelines, self.runtime)
                await register_twin(twin, self.store)
            await self._judge(run)
        finally:
            # The verdict does not wait for the broom.
            self._sweep_up(twin)
        return Verdict(
            commit=request.commit,
            results=tuple(sorted(run.results, key=lambda r: _ORDER.index(r.check))),
            elapsed_s=round(self.clock.monotonic() - started, 3),
            phases=run.phases,
        )

    async def close(self) -> None:
        if self._teardowns:
            await asyncio.wait(list(self._teardowns.values()))

    async def _subject(self, request: GateRequest) -> Subject:
        prefix = prefix_of(request.app_path)
        files = await self.repositories.read_all(request.project, request.commit, prefix)
        changed: frozenset[str] | None = None
        if request.base is not None:
            paths = await self.repositories.changed_paths(
                request.project, request.base, request.commit
            )
            changed = frozenset(inside(request.app_path, dict.fromkeys(paths, "")))
        return Subject(
            request=request,
            files=inside(request.app_path, files),
            changed=changed,
            scaffold=self.scaffold.files(),
            artefacts=self.artefacts_dir / request.project / twin_of(request).name,
        )

    async def _wait_for_room(self, twin: Twin) -> None:
        if earlier := self._teardowns.get(twin.name):
            await asyncio.wait([earlier])
        while len(self._teardowns) >= _MAX_TEARDOWNS:
            await asyncio.wait(self._teardowns.values(), return_when=asyncio.FIRST_COMPLETED)

    async def _judge(self, run: _Run) -> None:
        """tsc needs only the tree, so it runs while the database is migrated and the app starts."""
        try:
            async with asyncio.TaskGroup() as group:
                branch = group.create_task(self._branch(run))
                prepare = group.create_task(self._prepare(run))
                unprepared = await prepare
                await branch  # the sandbox binds the endpoint's folder
                if unprepared is not None:
                    self._stop_at(run, [unprepared], "The app's tree cannot be prepared.")
                    run.add(blocked(CheckName.TYPESCRIPT, "The app's tree cannot be prepared."))
                    return
                group.create_task(
                    self._checked(
                        run,
                        CheckName.TYPESCRIPT,
                        check_typescript(
                            run.subject, self.runtime, run.twin.workload.id, self.clock
                        ),
                    )
                )
                await self._live(run)
        except BaseExceptionGroup as errors:
            error = _first(errors)
            if isinstance(error, OSError | AppError):
                # The app's faults were turned into findings where they can arise.
                raise InfrastructureError(f"The gate could not judge: {error}") from errors
            raise error from errors

    async def _branch(self, run: _Run) -> None:
        async with self._timed(run, "branch"):
            await branch_twin(run.twin, self.store, self.timelines)

    async def _prepare(self, run: _Run) -> Finding | None:
        async with self._timed(run, "prepare"):
            try:
                await self.runtime.prepare(run.twin.workload)
            except WorkloadCrashed as crash:
                return judge_crash(crash)
        return None

    async def _live(self, run: _Run) -> None:
        """Migrates and starts the twin, then runs the checks that need it alive."""
        twin = run.twin
        try:
            async with self._timed(run, "migrate"):
                await self.timelines.migrate(twin.endpoint, run.subject.migrations)
            async with self._timed(run, "start"):
                status = await self.runtime.start(twin.workload)
        except MigrationFailed as failure:
            found = [judge_migration(failure, run.subject)]
            return self._stop_at(run, found, "A migration fails, so the app was not started.")
        except WorkloadCrashed as crash:
            return self._stop_at(run, [judge_crash(crash)], "The app does not start.")
        subject, socket = run.subject, status.socket
        async with asyncio.TaskGroup() as group:
            tests = check_tests(subject, self.runtime, twin.workload.id, self.clock)
            group.create_task(self._checked(run, CheckName.TESTS, tests))
            # The suite has a schema of its own; pages and probes share one, so that a page would
            # otherwise see rows come and go.
            await self._checked(run, CheckName.CONTRACT, self._contract(run, socket))
            browse = check_browse(subject, self.browser, socket, self.clock)
            await self._checked(run, CheckName.BROWSE, browse)

    async def _contract(self, run: _Run, socket: str) -> CheckResult:
        started = self.clock.monotonic()
        findings = await check_contract(
            run.subject,
            socket,
            run.twin.endpoint,
            self.timelines,
            lambda: self.runtime.logs(run.twin.workload.id),
        )
        return judged(CheckName.CONTRACT, findings, self.clock.monotonic() - started)

    def _stop_at(self, run: _Run, found: list[Finding], why: str) -> None:
        run.add(judged(CheckName.CONTRACT, found, 0.0))
        for check in (CheckName.TESTS, CheckName.BROWSE):
            run.add(blocked(check, why))

    async def _checked(
        self, run: _Run, check: CheckName, work: Coroutine[Any, Any, CheckResult]
    ) -> None:
        async with self._timed(run, check.value):
            try:
                async with asyncio.timeout(CHECK_TIMEOUT_S):
                    result = await work
            except TimeoutError as error:
                raise InfrastructureError(
                    f"check {check} did not finish within {CHECK_TIMEOUT_S:.0f} s."
                ) from error
            except WorkloadCrashed as crash:
                result = judged(check, [judge_crash(crash)], 0.0)
        run.add(result)

    @asynccontextmanager
    async def _timed(self, run: _Run, phase: str) -> AsyncIterator[None]:
        started = self.clock.monotonic()
        try:
            yield
        finally:
            run.phases[phase] = round(self.clock.monotonic() - started, 3)

    def _sweep_up(self, twin: Twin) -> None:
        task = asyncio.create_task(
            remove_twin(twin, self.store, self.timelines, self.runtime),
            name=f"remove {twin.name}",
        )
        self._teardowns[twin.name] = task
        task.add_done_callback(lambda done: self._swept(twin, done))

    def _swept(self, twin: Twin, done: asyncio.Task[None]) -> None:
        self._teardowns.pop(twin.name, None)
        if not done.cancelled() and (error := done.exception()) is not None:
            # Its resource rows remain, so the sweep finishes the job.
            _log.warning("twin not removed", twin=twin.name, scope=twin.scope, error=str(error))


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first real error of a task group; those beside it are its consequences or its like."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
