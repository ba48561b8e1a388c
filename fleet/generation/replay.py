"""Runs a transcript again on today's code, without a model, and says where it goes another way.

The model, the gate and the live tools answer from the transcript (see `prompter`). Everything else
is the real thing: planning, file tools, compaction, anti-spiral rules, budgets, the record.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from fleet.domain.build import FINAL_BUILD_STATES, Build, BuildState, TaskState
from fleet.domain.catalog import CatalogNote
from fleet.domain.frozen import Frozen
from fleet.domain.ids import CommitId, ProjectId
from fleet.domain.lease import Lease
from fleet.domain.project import SPEC_PATH
from fleet.domain.repository import NewCommit
from fleet.domain.timeline import Checkpoint
from fleet.errors import InfrastructureError
from fleet.generation.build import BuildDependencies, BuildRunner
from fleet.generation.divergence import Divergence, differences
from fleet.generation.outcome import RecordEnded
from fleet.generation.prompter import MovableClock, Prompter, RecordedGate
from fleet.generation.tools.workbench import SqlJudgement
from fleet.generation.transcript import Earlier, Transcript, cut_short, export, restored
from fleet.ports import Browser, Repositories, Runtime, Store, Timelines
from fleet.settings import ANY_MODEL, Settings, read_settings

HOLDER = "replay"
LEASE_S = 1_000_000.0  # beyond a still clock's patience: nothing renews it, nobody else wants it
BEFORE = timedelta(days=1)


@dataclass(frozen=True)
class Ground:
    """Where it is played: drivers that hold nothing yet. The store's time is `clock`'s."""

    store: Store
    repositories: Repositories
    timelines: Timelines
    runtime: Runtime
    browser: Browser
    clock: MovableClock


class Replay(Frozen):
    """`now` is the transcript of what happened this time. `ends` says in words why the record
    ends where no replay could know to end; then the two ends are not compared."""

    now: Transcript
    divergences: tuple[Divergence, ...]
    ends: str = ""


def beginning(transcript: Transcript) -> datetime:
    """What a clock must show at first: some time before the message."""
    return transcript.created_at - 2 * BEFORE


async def replay(transcript: Transcript, ground: Ground) -> Replay:
    prompter = Prompter(transcript, ground.clock)
    lives = [CatalogNote(kind=k, title=k, text="") for k in transcript.catalog]
    settings = _settings(transcript)
    runner = BuildRunner(
        BuildDependencies(
            store=ground.store,
            repositories=ground.repositories,
            timelines=ground.timelines,
            runtime=ground.runtime,
            model=prompter,
            gatekeeper=RecordedGate(transcript),
            converge=_converge,
            scaffold=_Base(transcript),
            catalog=tuple(lives),
            settings=settings,
            clock=ground.clock,
            browser=ground.browser,
            checkpoints=_NoCheckpoints(),
            judge_sql=_judges_nothing,
            stand_in=prompter.stand_in,
        )
    )
    await _set_up(transcript, ground)
    _, build = await ground.store.post_message(
        transcript.project, transcript.message, transcript.model
    )
    with contextlib.suppress(RecordEnded):
        await _run(runner, ground, build, len(transcript.steps))
    now = await export(ground.store, ground.repositories, build.id, settings, transcript.catalog)
    ends = cut_short(transcript)
    compared = (d for d in differences(transcript, now) if d.step or not ends)
    found = {str(d): d for d in (*prompter.divergences, *compared)}
    order = sorted(found.values(), key=lambda d: (d.step == 0, d.step))
    return Replay(now=now, divergences=tuple(order), ends=ends)


def _settings(transcript: Transcript) -> Settings:
    """As recorded; what had no price then cost nothing, and does so again."""
    recorded = transcript.settings
    prices = recorded.get("model_prices")
    known = {ANY_MODEL: {}, **(prices if isinstance(prices, dict) else {})}
    return read_settings(**{**recorded, "model_prices": known, "lease_ttl_s": LEASE_S})


async def _run(runner: BuildRunner, ground: Ground, build: Build, steps: int) -> Build:
    """To its end, and on again where it was continued after a budget was spent."""
    while True:
        done = await runner.run(*await _claim(ground))
        made = len(await ground.store.steps(build.id))
        if done.state is not BuildState.OUT_OF_BUDGET or made >= steps:
            return done
        await ground.store.release_leases_of(HOLDER)
        await ground.store.continue_build(build.id)


async def _claim(ground: Ground) -> tuple[Build, Lease]:
    claimed = await ground.store.claim_build(HOLDER, timedelta(seconds=LEASE_S))
    if claimed is None:
        raise InfrastructureError("The replay's store holds no build to run.")
    return claimed


async def _set_up(transcript: Transcript, ground: Ground) -> None:
    """The project as it stood when the build began."""
    store, project = ground.store, transcript.project
    owner = await store.ensure_owner(HOLDER)
    ground.clock.advance_to(transcript.created_at - BEFORE)
    await store.create_project(owner.id, project, transcript.title)
    head: CommitId | None = None
    if not transcript.first:
        head = await _commit_base(transcript, ground)
    for earlier in transcript.earlier:
        await _live_through(earlier, ground, project, head)
    ground.clock.advance_to(transcript.created_at)


async def _commit_base(transcript: Transcript, ground: Ground) -> CommitId:
    repositories, project = ground.repositories, transcript.project
    await repositories.create(project)
    files: dict[str, str | None] = {p: restored(t) for p, t in transcript.base.items()}
    new = NewCommit(parent=None, changes=files, message="Base", at=transcript.created_at - BEFORE)
    commit = await repositories.commit(project, new)
    await repositories.advance(project, "main", commit, None)
    return commit


async def _live_through(
    earlier: Earlier, ground: Ground, project: ProjectId, head: CommitId | None
) -> None:
    """An earlier build as far as a later one is told of it."""
    store = ground.store
    ground.clock.advance_to(ground.clock.now() + timedelta(seconds=1))
    await store.post_message(project, earlier.text, None)
    build, lease = await _claim(ground)
    if earlier.plan is not None:
        await store.advance_build(lease, build.id, BuildState.PLANNING)
        tasks = await store.save_plan(lease, build.id, earlier.plan, None)
        await store.advance_build(lease, build.id, BuildState.PRODUCING)
        if earlier.state is BuildState.SUCCEEDED:
            for task in tasks:
                await store.move_task(lease, task.id, TaskState.ACTIVE, 1)
                await store.move_task(lease, task.id, TaskState.DONE, 1)
    if earlier.state is BuildState.SUCCEEDED and head is not None:
        await store.set_project_head(lease, project, head)
    if earlier.state in FINAL_BUILD_STATES:
        await store.advance_build(lease, build.id, earlier.state, earlier.explanation)
    await store.release_lease(lease)


@dataclass(frozen=True)
class _Base:
    """The scaffold of a first build: what the recorded one began from."""

    transcript: Transcript

    def files(self) -> Mapping[str, str]:
        return {p: restored(t) for p, t in self.transcript.base.items() if p != SPEC_PATH}


class _NoCheckpoints:
    """Never reached: the tools that take them answer from the record."""

    async def take(
        self, project: ProjectId, commit: CommitId, reason: str, *, automatic: bool = False
    ) -> Checkpoint:
        raise InfrastructureError("A replay takes no checkpoints.")

    async def all(self, project: ProjectId) -> list[Checkpoint]:
        return []


async def _converge(lease: Lease, project: ProjectId, commit: CommitId) -> None:
    """Dev is not made: nothing in a replay looks at it."""


def _judges_nothing(statement: str) -> SqlJudgement:
    raise InfrastructureError("A replay runs no SQL.")
