"""Recorded steps of one task, written in a line each, for tests of pure decisions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fleet.domain.build import Step, StepKind
from fleet.domain.chat import ChatMessage, Role, ToolCall
from fleet.domain.ids import BuildId, TaskId
from fleet.ports import NewStep

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BUILD, TASK = BuildId("bld_x"), TaskId("tsk_x")


def step(
    number: int, *calls: tuple[str, str], kind: StepKind = StepKind.PRODUCER, **fields: Any
) -> Step:
    made = tuple(
        ToolCall(id=f"{number}.{i}", name=n, arguments=a) for i, (n, a) in enumerate(calls)
    )
    answers = (ChatMessage(role=Role.TOOL, content="ok", tool_call_id=c.id) for c in made)
    said = ChatMessage(role=Role.ASSISTANT, tool_calls=made)
    values: dict[str, Any] = {
        "messages": () if kind is StepKind.GATE else (said, *answers),
        "writes": {},
        "facts": {},
        "usage": {},
        "title": "",
        **fields,
    }
    return Step(
        number=number,
        build=BUILD,
        task=TASK,
        kind=kind,
        elapsed_s=0,
        created_at=NOON,
        **values,
    )


def gate(number: int, *fingerprints: str, green: bool = False, **facts: Any) -> Step:
    found = {"fingerprints": list(fingerprints), "commit": "c" * 40, "green": green, **facts}
    return step(number, kind=StepKind.GATE, facts=found)


def numbered(new: NewStep, number: int) -> Step:
    """As a store would give it back."""
    return Step(number=number, build=BUILD, created_at=NOON, **dict(new))


def unnumbered(recorded: Step) -> NewStep:
    left_out = {"number", "build", "created_at"}
    return NewStep(**{name: value for name, value in recorded if name not in left_out})
