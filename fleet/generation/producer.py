"""One task's tool-calling loop, a step at a time. What it knows is the steps, nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import Field, JsonValue

from fleet.domain.build import Step, StepKind, Task
from fleet.domain.chat import ChatMessage, Role, ToolCall
from fleet.generation.context import conversation
from fleet.generation.limits import Rule, spiral
from fleet.generation.prompt import fenced, prompt
from fleet.generation.tools.files import reading_tools, writing_tools
from fleet.generation.tools.live import Live, live_tools
from fleet.generation.tools.tool import Arguments, Tool, Toolbox, ToolResult
from fleet.generation.turn import Mind, take_turn
from fleet.generation.workspace import Workspace
from fleet.ports import NewStep

CLAIM = "claim_done"
MAX_NOTED_SQL_CHARS = 300


class ClaimDone(Arguments):
    summary: str = Field(default="", max_length=4_000)


class _TaskTools(Toolbox):
    """The producer's tools. A claim ends the turn, and only an honest one is taken."""

    def __init__(self, tools: Sequence[Tool[Any]]) -> None:
        super().__init__(tools)
        self._failed = self._claimed = False

    def begin(self) -> None:
        self._failed = self._claimed = False

    async def call(self, call: ToolCall) -> ToolResult:
        if self._claimed:
            return ToolResult("Error: not run; the task is claimed done already.", failed=True)
        if call.name == CLAIM and self._failed:
            return ToolResult(
                "Error: not claimed; an earlier call of this answer failed. See to it first.",
                failed=True,
            )
        result = await super().call(call)
        self._failed = self._failed or result.failed
        self._claimed = call.name == CLAIM and not result.failed
        return result


class Producer:
    """`briefing` is the task as JSON; `catalog` the text with examples, the same in every task."""

    def __init__(
        self, mind: Mind, workspace: Workspace, live: Live, prompts: tuple[str, JsonValue]
    ) -> None:
        self._mind = mind
        self._workspace = workspace
        catalog, briefing = prompts
        self._tools = _TaskTools(
            [
                *reading_tools(workspace),
                *writing_tools(workspace),
                *live_tools(live),
                Tool(
                    CLAIM,
                    "Say that the task is done; the gate then checks.",
                    ClaimDone,
                    _claim,
                ),
            ]
        )
        self._head = (
            ChatMessage(role=Role.SYSTEM, content=prompt("producer", catalog=catalog)),
            ChatMessage(
                role=Role.USER,
                content=prompt("producer_task", task=fenced("appfleet:task", briefing)),
            ),
        )

    async def step(self, task: Task, steps: Sequence[Step]) -> NewStep:
        """The next completion after `steps`, the task's own so far."""
        self._tools.begin()
        turn = await take_turn(self._mind, conversation(self._head, steps), self._tools)
        writes = self._workspace.take_written()
        facts: dict[str, JsonValue] = {}
        if any(call.name == CLAIM for call in turn.done):
            facts["claimed"] = True
        if sql := [_sql(call) for call in turn.done if call.name == "run_sql"]:
            facts["sql"] = list[JsonValue](sql)
        step = NewStep(
            task=task.id,
            kind=StepKind.PRODUCER,
            title=_title([call for call, _ in turn.results], facts, writes),
            messages=turn.messages,
            writes=writes,
            facts=facts,
            usage=turn.usage,
            elapsed_s=turn.elapsed_s,
        )
        return step if facts.get("claimed") else with_nudge(step, steps)


async def _claim(_: ClaimDone) -> str:
    """Taken even when nothing changed since a red gate: attempts are bounded, and the gate's word
    counts, not the model's."""
    return "Claimed. The gate checks now."


def with_nudge(step: NewStep, before: Sequence[Step]) -> NewStep:
    """The step with what the anti-spiral rules say to it: a nudge, or the end of the task."""
    found = spiral([*before, step])
    if found is None:
        return step
    if found.broken:
        return step.model_copy(update={"facts": {**step.facts, "spiral": found.reason}})
    nudge = ChatMessage(role=Role.USER, content=found.nudge)
    return step.model_copy(
        update={
            "messages": (*step.messages, nudge),
            "facts": {**step.facts, "nudge": Rule(found.rule).value},
        }
    )


def _sql(call: ToolCall) -> str:
    return str(json.loads(call.arguments).get("sql", ""))[:MAX_NOTED_SQL_CHARS]


def _title(
    calls: Sequence[ToolCall], facts: dict[str, JsonValue], writes: dict[str, str | None]
) -> str:
    """A short line for a person: what the step came to."""
    claimed = bool(facts.get("claimed"))
    if writes:
        first, *others = writes
        verb = "Deleted" if writes[first] is None else "Wrote"
        title = f"{verb} {first}" + (f" and {len(others)} more" if others else "")
        return f"{title}, claimed done" if claimed else title
    if claimed:
        return "Claimed done"
    names = sorted({call.name for call in calls})
    return ", ".join(names)[:150] if names else "Answered without a tool"
