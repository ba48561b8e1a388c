"""A build, its tasks and steps; the legal transitions stand in `BUILD_MOVES`, `TASK_MOVES`."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import JsonValue

from fleet.domain.chat import ChatMessage, Usage
from fleet.domain.frozen import Frozen
from fleet.domain.ids import BuildId, CommitId, MessageId, ProjectId, TaskId
from fleet.domain.plan import Plan


class BuildState(StrEnum):
    QUEUED = "queued"
    PLANNING = "planning"
    PRODUCING = "producing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    OUT_OF_BUDGET = "out_of_budget"
    CANCELLED = "cancelled"


class TaskState(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    DONE = "done"
    FAILED = "failed"


FINAL_BUILD_STATES = frozenset(
    {BuildState.SUCCEEDED, BuildState.FAILED, BuildState.OUT_OF_BUDGET, BuildState.CANCELLED}
)
_ENDINGS = frozenset({BuildState.FAILED, BuildState.OUT_OF_BUDGET, BuildState.CANCELLED})
BUILD_MOVES: dict[BuildState, frozenset[BuildState]] = {
    BuildState.QUEUED: frozenset({BuildState.PLANNING}) | _ENDINGS,
    BuildState.PLANNING: frozenset({BuildState.PRODUCING}) | _ENDINGS,
    BuildState.PRODUCING: frozenset({BuildState.SUCCEEDED}) | _ENDINGS,
    **{final: frozenset() for final in FINAL_BUILD_STATES},
    # Only by `Store.continue_build`: a fresh budget for the same build.
    BuildState.OUT_OF_BUDGET: frozenset({BuildState.QUEUED}),
}
TASK_MOVES: dict[TaskState, frozenset[TaskState]] = {
    TaskState.PENDING: frozenset({TaskState.ACTIVE}),
    TaskState.ACTIVE: frozenset({TaskState.DONE, TaskState.FAILED}),
    TaskState.DONE: frozenset(),
    TaskState.FAILED: frozenset(),
}


class Message(Frozen):
    id: MessageId
    project: ProjectId
    text: str
    created_at: datetime


class Build(Frozen):
    """`model` overrides the configured models for this build. `commit` is its last green commit.

    `base` is the project's head when the build was first planned (None for a first build).
    `explanation` is plain words for the user once the state is final. Steps up to `budget_from`
    were paid from budgets already spent; a continued build has a fresh one, and `started_at` is
    when work on it began.
    """

    id: BuildId
    project: ProjectId
    message: MessageId
    text: str
    model: str | None
    state: BuildState
    plan: Plan | None
    base: CommitId | None
    commit: CommitId | None
    explanation: str
    usage: Usage
    budget_from: int = 0
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Task(Frozen):
    """`attempts` counts gate runs begun for it."""

    id: TaskId
    build: BuildId
    position: int
    title: str
    state: TaskState
    attempts: int


class StepKind(StrEnum):
    ARCHITECT = "architect"  # one completion of the architect
    PRODUCER = "producer"  # one completion of the producer and the results of its tool calls
    GATE = "gate"  # one gate run; its message carries the evidence told to the producer
    COMPACTION = "compaction"  # replaces the conversation before it by its one message


class Step(Frozen):
    """One finished step of a build; `number` counts from 1 within the build.

    `messages` is what the step appended to the conversation (an assistant message, then the tool
    results), so that a successor rebuilds the conversation by concatenation. `writes` maps each
    path the step changed to its new text (None: deleted), so that it rebuilds the work tree too.
    `facts` carries small typed extras (commit, verdict fingerprint…) for the reader.
    """

    number: int
    build: BuildId
    task: TaskId | None
    kind: StepKind
    title: str
    messages: tuple[ChatMessage, ...]
    writes: dict[str, str | None]
    facts: dict[str, JsonValue]
    usage: Usage
    elapsed_s: float
    created_at: datetime

    @property
    def counted(self) -> bool:
        """A model was asked: only these are steps of a budget, and of every number told of steps.
        A gate run, and a compaction made by rule, are on record but not counted."""
        asked = self.kind is not StepKind.COMPACTION or self.usage.completions > 0
        return asked and self.kind is not StepKind.GATE
