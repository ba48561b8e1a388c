"""Decisions that every store makes alike: which text it takes, and which moves are legal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fleet.domain.build import (
    BUILD_MOVES,
    TASK_MOVES,
    Build,
    BuildState,
    Message,
    Step,
    Task,
    TaskState,
)
from fleet.domain.event import EventKind, NewEvent
from fleet.domain.frozen import Frozen
from fleet.domain.ids import BuildId
from fleet.domain.project import ProjectState
from fleet.errors import Conflict, InfrastructureError, InvalidInput

_STANDING = {
    BuildState.QUEUED: "is waiting its turn",
    BuildState.PLANNING: "is still running",
    BuildState.PRODUCING: "is still running",
    BuildState.SUCCEEDED: "has succeeded",
    BuildState.FAILED: "has failed",
    BuildState.CANCELLED: "was cancelled",
}


def _unstorable(character: str) -> bool:
    """NUL, which Postgres text cannot hold, and lone surrogates, which UTF-8 cannot."""
    return character == "\0" or "\ud800" <= character <= "\udfff"


def require_storable(text: str, what: str) -> str:
    """`text` itself; InvalidInput if no store could give it back as it was."""
    if any(_unstorable(c) for c in text):
        raise InvalidInput(
            f"The {what} contains a NUL character or half of a surrogate pair.",
            action="Remove the control characters and try again.",
        )
    return text


def storable(text: str) -> str:
    """For words the platform itself quotes (a log line in an explanation): kept, made legible."""
    return "".join("\ufffd" if _unstorable(c) else c for c in text)


def build_lease_key(build: BuildId) -> str:
    return f"build:{build}"


def build_moves(build: Build, state: BuildState) -> bool:
    """False: it is there already, nothing to write. Conflict: it may never go there."""
    if build.state is state:
        return False
    if state is BuildState.QUEUED or state not in BUILD_MOVES[build.state]:
        raise Conflict(f"Build {build.id} is {build.state} and cannot become {state}.")
    return True


def require_continuable(build: Build, newest: Build) -> None:
    """Conflict, in words for the user, unless the build can be given a fresh budget."""
    if newest.id != build.id:
        raise Conflict(
            f"Build {build.id} is not the newest of {build.project}: a later message replaced it.",
            action="Send what is still missing as a new message.",
        )
    if BuildState.QUEUED not in BUILD_MOVES[build.state]:
        raise Conflict(
            f"Build {build.id} {_STANDING.get(build.state, build.state)}; "
            "only one that ran out of budget can be continued.",
            action="Send a message to change the app.",
        )


def step_repeats(stored: Sequence[Step], step: Frozen, after: int | None) -> bool:
    """True: `step` is there already, its acknowledgement was lost. `after` is the number of the
    last step its writer knows, `stored` are the steps above that."""
    if after is None or not stored:
        return False
    told = {n for n in type(step).model_fields if n not in ("title", "elapsed_s")}
    if len(stored) == 1 and all(getattr(stored[0], n) == getattr(step, n) for n in told):
        return True
    raise InfrastructureError(
        f"Build {stored[0].build} has step {stored[0].number} already.",
        action="Read its record again and go on from there.",
    )


def spending_from(since: datetime) -> datetime:
    """Spending is kept by the minute; the one that `since` lies in counts."""
    return since.replace(second=0, microsecond=0)


def task_moves(task: Task, state: TaskState, attempts: int) -> bool:
    """As `build_moves`; more attempts at an active task are a change too, fewer never are."""
    if task.state is state and task.attempts == attempts:
        return False
    counts_on = task.state is state is TaskState.ACTIVE
    if attempts < task.attempts or not (counts_on or state in TASK_MOVES[task.state]):
        raise Conflict(
            f"Task {task.id} is {task.state} after {task.attempts} attempts and cannot become "
            f"{state} after {attempts}."
        )
    return True


def project_moves(current: ProjectState, wanted: ProjectState) -> bool:
    if current is wanted:
        return False
    if wanted is ProjectState.ACTIVE:
        raise Conflict("A project that is being deleted does not come back.")
    return True


def posted(message: Message, build: Build) -> tuple[NewEvent, NewEvent]:
    """What a posted message tells the people watching, in this order."""
    return (
        NewEvent(
            kind=EventKind.MESSAGE_POSTED, payload={"text": message.text, "message": message.id}
        ),
        NewEvent(kind=EventKind.BUILD_QUEUED, payload={"build": build.id, "model": build.model}),
    )


def finished(build: Build) -> NewEvent:
    """What the end of a build tells; written with its final state or not at all."""
    assert build.finished_at is not None
    elapsed = build.finished_at - (build.started_at or build.created_at)
    return NewEvent(
        kind=EventKind.BUILD_FINISHED,
        payload={
            "state": build.state.value,
            "explanation": build.explanation,
            "elapsed_s": round(elapsed.total_seconds(), 3),
            **build.usage.told(),
        },
    )


def continued(build: Build, tasks: Sequence[Task]) -> NewEvent:
    """`build` with its fresh budget."""
    done = sum(task.state is TaskState.DONE for task in tasks)
    return NewEvent(
        kind=EventKind.BUILD_CONTINUED, payload={"steps": build.budget_from, "tasks_done": done}
    )
