"""One task's tool-calling loop, a step at a time. What it knows is the steps, nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import Field, JsonValue

from fleet.domain.build import Step, StepKind, Task
from fleet.domain.chat import ChatMessage, Role, ToolCall
from fleet.domain.progress import NOTES_FACT, StepNotes
from fleet.generation.budget import priced
from fleet.generation.compaction import Compaction, due
from fleet.generation.context import (
    CHARS_PER_TOKEN,
    before,
    conversation,
    repeated,
    seen_before,
)
from fleet.generation.diagnosis import FAILED_FACT, diagnosis
from fleet.generation.limits import SPIRAL_FACT, Level, forced_tools, spiral, spiral_of
from fleet.generation.prompt import fenced, prompt
from fleet.generation.signs import OVERSIZED_FACT, REWRITTEN_FACT
from fleet.generation.titles import title_of
from fleet.generation.tools.producer import producer_tools
from fleet.generation.tools.tool import Arguments, Tool, Toolbox, ToolResult, bounded
from fleet.generation.tools.workbench import Workbench
from fleet.generation.turn import Mind, Turn, take_turn
from fleet.generation.workspace import OVERSIZED_MARK
from fleet.ports import NewStep
from fleet.settings import Settings

CLAIM = "claim_done"
# Of a result for which the answer's allowance has no room left.
MIN_RESULT_CHARS = 1_000


class ClaimDone(Arguments):
    summary: str = Field(default="", max_length=4_000)


class _TaskTools(Toolbox):
    """The producer's tools. A claim ends the turn, and only an honest one is taken.

    All results of one answer share `allowance_chars`, so that no step outgrows the window.
    """

    def __init__(self, tools: Sequence[Tool[Any]], allowance_chars: int) -> None:
        super().__init__(tools)
        self._allowance_chars = allowance_chars
        self.begin(None)

    def begin(self, allowed: frozenset[str] | None) -> None:
        """`allowed` names the only tools of this turn; None or empty: all."""
        self._failed = self._claimed = False
        self._allowed = allowed
        self._left_chars = self._allowance_chars

    async def call(self, call: ToolCall) -> ToolResult:
        if self._claimed:
            return ToolResult("Error: not run; the task is claimed done already.", failed=True)
        if self._allowed and call.name not in self._allowed:
            return ToolResult(
                f"Error: not run; this answer may call only {', '.join(sorted(self._allowed))}.",
                failed=True,
            )
        if call.name == CLAIM and self._failed:
            return ToolResult(
                "Error: not claimed; an earlier call of this answer failed. See to it first.",
                failed=True,
            )
        result = await super().call(call)
        self._failed = self._failed or result.failed
        self._claimed = call.name == CLAIM and not result.failed
        content = bounded(result.content, max(self._left_chars, MIN_RESULT_CHARS))
        self._left_chars -= len(content)
        return replace(result, content=content)


class Producer:
    """`briefing` is the task as JSON; `catalog` the text with examples, the same in every task."""

    def __init__(
        self, mind: Mind, bench: Workbench, prompts: tuple[str, JsonValue], settings: Settings
    ) -> None:
        self._mind = mind
        self._bench = bench
        self._settings = settings
        catalog, briefing = prompts
        claim = Tool(CLAIM, "Say that the task is done; the gate then checks.", ClaimDone, _claim)
        tools = producer_tools(bench)
        if mind.stand_in is not None:
            tools = [mind.stand_in(tool, bench) for tool in tools]
        self._tools = _TaskTools([*tools, claim], settings.context_low_tokens * CHARS_PER_TOKEN)
        self._head = (
            ChatMessage(role=Role.SYSTEM, content=prompt("producer", catalog=catalog)),
            ChatMessage(
                role=Role.USER,
                content=prompt("producer_task", task=fenced("appfleet:task", briefing)),
            ),
        )

    def compaction(self, steps: Sequence[Step]) -> Compaction | None:
        """What of the conversation must be compacted before the next completion."""
        found = spiral_of(steps[-1]) if steps else None
        if found is not None and found.level is Level.FRESH:
            why = f"{found.reason}, so it begins afresh"
            return Compaction(through=steps[-1].number, why=why, warning=found.text)
        return due(self._head, steps, self._settings)

    async def step(self, task: Task, steps: Sequence[Step]) -> NewStep:
        """The next completion after `steps`, the task's own so far."""
        allowed = forced_tools(steps)
        self._tools.begin(allowed)
        asked = conversation(self._head, steps)
        turn = await take_turn(
            self._mind, asked, self._tools, "auto" if allowed is None else "required"
        )
        usage = seen_before(turn.usage, repeated(before(self._head, steps), asked))
        writes = self._bench.workspace.take_written()
        notes = self._bench.notes.take()
        facts = _facts(turn, steps, writes, notes)
        step = NewStep(
            task=task.id,
            kind=StepKind.PRODUCER,
            title=title_of(turn.results, writes, notes, claimed=bool(facts.get("claimed"))),
            messages=turn.messages,
            writes=writes,
            facts=facts,
            usage=priced(usage, self._mind.name, self._settings),
            elapsed_s=turn.elapsed_s,
        )
        return step if facts.get("claimed") else with_break(step, steps, self._settings)


async def _claim(_: ClaimDone) -> str:
    """Taken even when nothing changed since a red gate: attempts are bounded, and the gate's word
    counts, not the model's."""
    return "Claimed. The gate checks now."


def with_break(step: NewStep, earlier: Sequence[Step], settings: Settings) -> NewStep:
    """The step with what the anti-spiral rules say to it, or with the end of the task."""
    if step.facts.get(FAILED_FACT):
        return step
    found = spiral([*earlier, step], settings)
    if found is None:
        return step
    facts: dict[str, JsonValue] = {**step.facts, SPIRAL_FACT: found.fact}
    if found.level is Level.FAILED:
        facts[FAILED_FACT] = diagnosis(found.reason, [*earlier, step])
        return step.model_copy(update={"facts": facts})
    messages = step.messages
    if found.level is not Level.FRESH:  # there the compaction says it
        messages = (*messages, ChatMessage(role=Role.USER, content=found.text))
    return step.model_copy(update={"messages": messages, "facts": facts})


def _facts(
    turn: Turn, steps: Sequence[Step], writes: dict[str, str | None], notes: StepNotes
) -> dict[str, JsonValue]:
    facts: dict[str, JsonValue] = {}
    if any(call.name == CLAIM for call in turn.done):
        facts["claimed"] = True
    if notes != StepNotes():
        facts[NOTES_FACT] = notes.model_dump(mode="json", exclude_defaults=True)
    if turn.problem:
        facts["problem"] = turn.problem
    if turn.raw is not None:
        facts["raw"] = turn.raw.model_dump(mode="json")
    if turn.ends:
        facts[FAILED_FACT] = turn.ends
    if oversized := sum(r.failed and OVERSIZED_MARK in r.content for _, r in turn.results):
        facts[OVERSIZED_FACT] = oversized
    if rewritten := _rewritten(turn, steps, writes):
        facts[REWRITTEN_FACT] = list[JsonValue](rewritten)
    return facts


def _rewritten(turn: Turn, steps: Sequence[Step], writes: dict[str, str | None]) -> list[str]:
    """Files of this task's own that were written whole once more."""
    earlier = {path for step in steps for path in step.writes}
    whole = {_path(call) for call in turn.done if call.name == "write_file"}
    return sorted(earlier & whole & writes.keys())


def _path(call: ToolCall) -> str:
    value = json.loads(call.arguments)
    return str(value.get("path", "")).removeprefix("./") if isinstance(value, dict) else ""
