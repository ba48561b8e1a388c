"""What one run over a build knows: its record so far, and the ways to add to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue

from fleet.domain.build import Build, BuildState, Step
from fleet.domain.catalog import CatalogNote
from fleet.domain.event import EventKind, NewEvent
from fleet.domain.ids import CommitId, ProjectId
from fleet.domain.lease import Lease
from fleet.domain.project import Project
from fleet.generation.outcome import BuildEnded
from fleet.generation.stage import over_budget
from fleet.generation.turn import Mind
from fleet.ports import (
    ChatModel,
    Clock,
    Gatekeeper,
    NewStep,
    Repositories,
    Runtime,
    Scaffold,
    Store,
    Timelines,
)
from fleet.settings import Settings


class Converge(Protocol):
    """Makes dev real at a commit: database, migrations, running app. Idempotent."""

    async def __call__(self, lease: Lease, project: ProjectId, commit: CommitId) -> None: ...


@dataclass(frozen=True)
class BuildDependencies:
    store: Store
    repositories: Repositories
    timelines: Timelines
    runtime: Runtime
    model: ChatModel
    gatekeeper: Gatekeeper
    converge: Converge
    scaffold: Scaffold
    catalog: tuple[CatalogNote, ...]
    settings: Settings
    clock: Clock


@dataclass
class Life:
    """`lease` answers the newest renewal; `steps` holds all of the build's, in order.

    `resumed` is False when nobody can have worked on the build before."""

    deps: BuildDependencies
    lease: Callable[[], Lease]
    project: Project
    build: Build
    resumed: bool
    steps: list[Step] = field(default_factory=list)
    appended: int = 0

    async def append(self, step: NewStep) -> Step:
        """Persists a finished step; from here on a successor will not repeat it."""
        done = await self.deps.store.append_step(self.lease(), self.build.id, step)
        self.steps.append(done)
        self.appended += 1
        await self.emit(
            EventKind.STEP_FINISHED,
            {"number": done.number, "title": done.title, "elapsed_s": round(done.elapsed_s, 3)},
        )
        return done

    async def emit(self, kind: EventKind, payload: dict[str, JsonValue]) -> None:
        event = NewEvent(kind=kind, payload=payload)
        await self.deps.store.append_event(self.project.id, self.build.id, event)

    async def advance(self, state: BuildState, explanation: str = "") -> None:
        self.build = await self.deps.store.advance_build(
            self.lease(), self.build.id, state, explanation
        )

    def mind(self, configured: str) -> Mind:
        return Mind(self.deps.model, self.build.model or configured, self.deps.clock)

    def elapsed_s(self) -> float:
        began = self.build.started_at or self.build.created_at
        return (self.deps.clock.now() - began).total_seconds()

    def check_budget(self) -> None:
        spent = over_budget(self.steps, self.elapsed_s(), self.deps.settings)
        if spent:
            raise BuildEnded(
                BuildState.OUT_OF_BUDGET,
                f"The build spent {spent} before it was done. Ask for less at once, or raise the "
                "budget in the settings.",
            )
