"""A step's notable facts as events, for people watching."""

from __future__ import annotations

import structlog
from pydantic import JsonValue

from fleet.domain.build import Step
from fleet.domain.event import EventKind
from fleet.domain.progress import notes_of
from fleet.generation.life import Life
from fleet.generation.limits import spiral_of

log = structlog.get_logger()


async def announce(life: Life, step: Step) -> None:
    """After the step is recorded: what left the scope, what can be returned to, what spiralled.

    A task's diagnosis comes once, with its end."""
    task: dict[str, JsonValue] = {"task": str(step.task), "step": step.number}
    notes = notes_of(step.facts)
    for left in notes.scope_exits:
        await life.emit(EventKind.SCOPE_LEFT, {**task, "path": left.path, "reason": left.reason})
    for checkpoint in notes.checkpoints:
        await life.emit(EventKind.CHECKPOINT_TAKEN, {**task, "checkpoint": checkpoint})
    if notes.packages:
        packages = list[JsonValue](notes.packages)
        await life.emit(EventKind.PACKAGES_CHANGED, {**task, "packages": packages})
    if (found := spiral_of(step)) is not None:
        told: dict[str, JsonValue] = {"level": found.level.value, "text": found.reason}
        log.info("spiral", rule=found.event.value, **task, **told)
        await life.emit(found.event, {**task, **told})
