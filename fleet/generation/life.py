"""What one run over a build knows: its record so far, and the ways to add to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import JsonValue

from fleet.domain.build import Build, BuildState, Step
from fleet.domain.catalog import CatalogNote
from fleet.domain.chat import Completion, CompletionRequest
from fleet.domain.event import EventKind, NewEvent
from fleet.domain.ids import CommitId, ProjectId, TaskId
from fleet.domain.lease import Lease
from fleet.domain.project import Project
from fleet.generation.budget import (
    answer_tokens,
    build_budget,
    counted,
    owner_budget,
    priced,
    spending_of,
    spent,
    total,
    warning,
)
from fleet.generation.compaction import Compaction, compact
from fleet.generation.outcome import OWNER_SPENT, BuildEnded
from fleet.generation.tools.workbench import Checkpoints, JudgeSql
from fleet.generation.turn import Mind, StandIn
from fleet.ports import (
    Browser,
    ChatModel,
    Clock,
    Gatekeeper,
    NewStep,
    OnText,
    Repositories,
    Runtime,
    Scaffold,
    Spending,
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
    browser: Browser
    checkpoints: Checkpoints
    judge_sql: JudgeSql
    stand_in: StandIn | None = None  # replays only


@dataclass
class Life:
    """`lease` answers the newest renewal; `steps` holds all of the build's, in order.

    `resumed` is False when nobody can have worked on the build before. `owner_spent` is what the
    owner's builds spent in the period, as of the last step; nothing when that has no bound."""

    deps: BuildDependencies
    lease: Callable[[], Lease]
    project: Project
    build: Build
    resumed: bool
    steps: list[Step] = field(default_factory=list)
    appended: int = 0
    owner_spent: Spending = field(default_factory=Spending)

    async def append(self, step: NewStep) -> Step:
        """Persists a finished step; from here on a successor will not repeat it."""
        known = self.steps[-1].number if self.steps else 0
        done = await self.deps.store.append_step(self.lease(), self.build.id, step, known)
        before = self._spending(self.steps[-1].created_at if self.steps else self.build.created_at)
        self.steps.append(done)
        self.appended += 1
        await self.emit(
            EventKind.STEP_FINISHED,
            {
                "number": done.number,
                "title": done.title,
                "counted": done.counted,
                "elapsed_s": round(done.elapsed_s, 3),
                **done.usage.told(),
                "total": {"steps": counted(self.steps), **total(self.steps).told()},
            },
        )
        await self._warn(before)
        return done

    async def _warn(self, before: Spending) -> None:
        settings, owner_before = self.deps.settings, self.owner_spent
        await self.look_at_owner()
        told = (
            warning(build_budget(settings), before, self._spending()),
            warning(owner_budget(settings), owner_before, self.owner_spent),
        )
        for text in filter(None, told):
            await self.emit(EventKind.NOTICE, {"text": text})

    async def _warn_of_owner(self) -> None:
        """As work begins: what earlier builds used up already. All of it ends this one anyway."""
        budget = owner_budget(self.deps.settings)
        text = warning(budget, Spending(), self.owner_spent)
        if text and not spent(budget, self.owner_spent):
            await self.emit(EventKind.NOTICE, {"text": text})

    async def look_at_owner(self) -> None:
        settings = self.deps.settings
        if owner_budget(settings).bounded:
            since = self.deps.clock.now() - timedelta(seconds=settings.owner_period_s)
            self.owner_spent = await self.deps.store.owner_spending(self.project.owner, since)

    async def emit(self, kind: EventKind, payload: dict[str, JsonValue]) -> None:
        event = NewEvent(kind=kind, payload=payload)
        await self.deps.store.append_event(self.project.id, self.build.id, event)

    async def advance(self, state: BuildState, explanation: str = "") -> None:
        self.build = await self.deps.store.advance_build(
            self.lease(), self.build.id, state, explanation
        )
        if state is BuildState.PLANNING:
            await self._warn_of_owner()

    async def compact(self, task: TaskId | None, steps: Sequence[Step], wanted: Compaction) -> None:
        """Records one message in the place of the older of `steps`, all of one conversation."""
        mind = self.mind(self.deps.settings.analysis_model)
        made = await compact(task, steps, wanted, mind)
        usage = priced(made.usage, mind.name, self.deps.settings)
        step = await self.append(made.model_copy(update={"usage": usage}))
        told: dict[str, JsonValue] = {"task": task, "why": wanted.why, "through": wanted.through}
        await self.emit(EventKind.CONTEXT_COMPACTED, {**told, "by": step.facts.get("by")})

    def mind(self, configured: str) -> Mind:
        name = self.build.model or configured
        model = _WithinBudget(self.deps.model, self)
        return Mind(model, name, self.deps.clock, self.deps.stand_in)

    def _spending(self, at: datetime | None = None) -> Spending:
        """Of the present budget, its time counted until `at` or now."""
        began = self.build.started_at or self.build.created_at
        elapsed = max((at or self.deps.clock.now()) - began, timedelta())
        return spending_of(self.steps, self.build.budget_from, elapsed.total_seconds())

    def answer_tokens(self, model: str, wanted: int) -> int:
        """How long an answer what is left of the budgets pays for."""
        settings = self.deps.settings
        price = settings.price_of(model)
        dearest = price.completion if price else 0.0
        own = answer_tokens(build_budget(settings), self._spending(), wanted, dearest)
        return answer_tokens(owner_budget(settings), self.owner_spent, own, dearest)

    def check_budget(self) -> None:
        settings = self.deps.settings
        own = spent(build_budget(settings), self._spending())
        if words := own or spent(owner_budget(settings), self.owner_spent):
            again = f"`appfleet chat {self.project.id} --continue` goes on from here"
            raise BuildEnded(
                BuildState.OUT_OF_BUDGET,
                f"The build spent {words} before it was done. {again} with a fresh budget."
                if own
                else f"{OWNER_SPENT} {words}, so this one stopped. {again} once less was spent "
                "in that time.",
            )


@dataclass(frozen=True)
class _WithinBudget:
    """The model, never asked for a longer answer than the budgets pay for."""

    model: ChatModel
    life: Life

    async def complete(
        self, request: CompletionRequest, on_text: OnText | None = None
    ) -> Completion:
        allowed = self.life.answer_tokens(request.model, request.max_tokens)
        return await self.model.complete(
            request.model_copy(update={"max_tokens": allowed}), on_text
        )
