"""Where a task stands, read from its recorded steps alone. Pure.

It is what makes every crash survivable: the next move follows from facts, never from memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from fleet.domain.build import Step, StepKind, Task
from fleet.domain.frozen import Frozen
from fleet.domain.ids import CommitId
from fleet.generation.diagnosis import FAILED_FACT, diagnosis


class Move(StrEnum):
    PRODUCE = "produce"  # ask for the next completion, after compacting where that is due
    VERIFY = "verify"  # the last step claims done: run the gate
    LAND = "land"  # the gate was green: main advances
    GIVE_UP = "give_up"


class Stage(Frozen):
    """`attempt` counts the gate runs that ended. `commit` is the last one's, None before."""

    move: Move
    attempt: int = 0
    commit: CommitId | None = None
    reason: str = ""


def steps_of(task: Task, steps: Sequence[Step]) -> list[Step]:
    return [s for s in steps if s.task == task.id]


def stage_of(steps: Sequence[Step], max_attempts: int) -> Stage:
    """`steps` are the task's own."""
    gates = [s for s in steps if s.kind is StepKind.GATE]
    attempt, commit = len(gates), commit_of(gates[-1]) if gates else None
    if not steps:
        return Stage(move=Move.PRODUCE)
    last = steps[-1]
    if last.kind is StepKind.GATE and last.facts.get("green"):
        return Stage(move=Move.LAND, attempt=attempt, commit=commit)
    reason = str(last.facts.get(FAILED_FACT, ""))
    if last.kind is StepKind.GATE and not reason and attempt >= max_attempts:
        reason = diagnosis(f"it did not pass the gate in {attempt} attempts", steps)
    if reason:
        return Stage(move=Move.GIVE_UP, attempt=attempt, commit=commit, reason=reason)
    move = Move.VERIFY if last.facts.get("claimed") else Move.PRODUCE
    return Stage(move=move, attempt=attempt, commit=commit)


def commit_of(gate: Step) -> CommitId:
    return CommitId(str(gate.facts["commit"]))
