"""The gate: four checks against one commit on a throwaway twin, or what it once said of the same.

`judging` runs the checks; here are the twin's life, the memory of verdicts and what is left to see.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakValueDictionary

import structlog

from fleet.domain.ids import dev_endpoint
from fleet.domain.resource import ResourceKind
from fleet.domain.verdict import CheckName, GateRequest, Verdict
from fleet.errors import AppError, InfrastructureError, NotFound
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
from fleet.verification.artefacts import forget_missing, prune, run_folder
from fleet.verification.judging import Judging
from fleet.verification.memory import digest_of, recalled, verdict_key, worth_remembering
from fleet.verification.stages import Patience, Tools
from fleet.verification.subject import Subject, inside, prefix_of
from fleet.verification.twin import Twin, has_leftovers, register_twin, remove_twin, twin_of

# A teardown costs the next gate little, a queue of them does.
_MAX_TEARDOWNS = 4
_TEARDOWN_S = 60.0
_ORDER = list(CheckName)
# Every transaction that wrote anything has a number below it; looking does not move it.
_DATA_VERSION = "select pg_snapshot_xmax(pg_current_snapshot())::text"
_log = structlog.get_logger(__name__)


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
    patience: Patience = field(default_factory=Patience)
    _teardowns: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def verify(self, request: GateRequest, on_check: OnCheck | None = None) -> Verdict:
        """Raises InfrastructureError when it could not judge; the twin is gone by then."""
        started = self.clock.monotonic()
        twin = twin_of(request)
        # A second twin of one name would trample on the first.
        turn = self._turns.setdefault(twin.name, asyncio.Lock())
        async with turn:
            subject = await self._subject(request)
            key = "" if request.fresh else await self._key(subject)
            verdict = await self._remembered(request, key, started) if key else None
            if verdict is not None:
                for result in verdict.results:
                    if on_check is not None:
                        on_check(result)
                return verdict
            verdict = await self._judge(subject, twin, on_check)
        verdict = verdict.model_copy(
            update={"elapsed_s": round(self.clock.monotonic() - started, 3)}
        )
        if key and worth_remembering(verdict):
            named = verdict.model_copy(update={"cached_from": request.run})
            await self.store.remember_verdict(request.project, key, named)
        return verdict

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
            artefacts=run_folder(self.artefacts_dir, request.project, request.run),
        )

    # Memory

    async def _key(self, subject: Subject) -> str:
        """ "" when dev's data cannot be told, so that nothing can be said to be unchanged."""
        request, dev = subject.request, dev_endpoint(subject.request.project)
        try:
            endpoint = await self.timelines.endpoint(dev)
            version = await self.timelines.query(dev, _DATA_VERSION)
        except (NotFound, AppError):
            return ""
        tree = await self.repositories.tree_id(request.project, request.commit)
        data = f"{endpoint.timeline} {version.rows[0][0]}"
        return verdict_key(request, tree, subject.changed, digest_of(subject.scaffold), data)

    async def _remembered(self, request: GateRequest, key: str, started: float) -> Verdict | None:
        verdict = await self.store.remembered_verdict(request.project, key)
        if verdict is None:
            return None
        results = await asyncio.to_thread(
            lambda: tuple(forget_missing(r, self.artefacts_dir) for r in verdict.results)
        )
        present = verdict.model_copy(update={"results": results})
        return recalled(present, request, round(self.clock.monotonic() - started, 3))

    # Judging

    async def _judge(self, subject: Subject, twin: Twin, on_check: OnCheck | None) -> Verdict:
        await self._wait_for_room(twin)
        tools = Tools(
            self.store, self.timelines, self.runtime, self.browser, self.clock, self.patience
        )
        judging = Judging(subject, twin, tools, on_check)
        try:
            if await has_leftovers(twin, self.store):
                await remove_twin(twin, self.store, self.timelines, self.runtime)
            await register_twin(twin, self.store)
            await self.store.register_resource(
                twin.project, ResourceKind.ARTEFACTS, twin.project, "project"
            )
            await judging.run()
        except InfrastructureError:
            # Whoever tries again elsewhere must not meet the broom.
            await asyncio.wait([self._sweep_up(twin)], timeout=_TEARDOWN_S)
            raise
        except BaseException:
            self._sweep_up(twin)
            raise
        self._sweep_up(twin)  # the verdict does not wait for the broom
        return Verdict(
            commit=subject.request.commit,
            results=tuple(judging.results[c] for c in _ORDER if c in judging.results),
            elapsed_s=0.0,
            phases=judging.phases,
        )

    async def _wait_for_room(self, twin: Twin) -> None:
        if earlier := self._teardowns.get(twin.name):
            await asyncio.wait([earlier])
        while len(self._teardowns) >= _MAX_TEARDOWNS:
            await asyncio.wait(self._teardowns.values(), return_when=asyncio.FIRST_COMPLETED)

    def _sweep_up(self, twin: Twin) -> asyncio.Task[None]:
        task = asyncio.create_task(self._remove(twin), name=f"remove {twin.name}")
        self._teardowns[twin.name] = task
        task.add_done_callback(lambda done: self._swept(twin, done))
        return task

    async def _remove(self, twin: Twin) -> None:
        await remove_twin(twin, self.store, self.timelines, self.runtime)
        await asyncio.to_thread(prune, self.artefacts_dir, twin.project, twin.build)

    def _swept(self, twin: Twin, done: asyncio.Task[None]) -> None:
        self._teardowns.pop(twin.name, None)
        if not done.cancelled() and (error := done.exception()) is not None:
            # Its resource rows remain, so the sweep finishes the job.
            _log.warning("twin not removed", twin=twin.name, scope=twin.scope, error=str(error))
