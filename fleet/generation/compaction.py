"""Compaction: a conversation's older half becomes one message, told by the analysis model.

Only the words are the model's. Files, SQL, checks, decisions and open evidence come from the
record, word for word; where no model answers, the words are made by rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from fleet.domain.build import Step, StepKind
from fleet.domain.chat import ChatMessage, CompletionRequest, Role, Usage
from fleet.domain.ids import TaskId
from fleet.errors import ModelError
from fleet.generation.context import THROUGH_FACT, Window, cut, split
from fleet.generation.prompt import fenced, prompt
from fleet.generation.tracker import tracker
from fleet.generation.turn import Mind
from fleet.ports import NewStep
from fleet.settings import Settings

log = structlog.get_logger()

SUMMARY_FACT = "summary"
MAX_SUMMARY_TOKENS = 1_500
MAX_SUMMARY_CHARS = 8_000
MAX_RENDERED_CHARS = 120_000
_MAX_SAID_CHARS = 600
_MAX_ARGUMENTS_CHARS = 200
_MAX_RESULT_CHARS = 400
_MAX_TITLES = 120


@dataclass(frozen=True)
class Compaction:
    """Replaces the steps up to number `through`. `why` is plain words: the size, a spiral's rule;
    `warning` is said to the model after the tracker."""

    through: int
    why: str
    warning: str = ""


def due(
    head: Sequence[ChatMessage], steps: Sequence[Step], settings: Settings
) -> Compaction | None:
    """What is to be compacted because the window is nearly full."""
    window = Window(high=settings.context_high_tokens, low=settings.context_low_tokens)
    through = cut(head, steps, window)
    return Compaction(through=through, why="the window is nearly full") if through else None


async def compact(
    task: TaskId | None, steps: Sequence[Step], wanted: Compaction, mind: Mind
) -> NewStep:
    """The step to append after `steps`, the task's own."""
    began = mind.clock.monotonic()
    dropped = [s for s in steps if s.number <= wanted.through]
    by, usage = "model", Usage()
    try:
        summary, usage = await _asked(dropped, mind)
    except ModelError as error:
        log.warning("no analysis model answers: summarised by rule", error=str(error))
        summary = ""
    if not summary:
        by, summary = "rule", summary_by_rule(dropped)
    text = prompt(
        "progress",
        from_step=str(dropped[0].number if dropped else 0),
        to_step=str(wanted.through),
        summary=summary,
        # Over all steps, not only the dropped ones: one list to trust.
        progress=fenced("appfleet:progress", tracker(steps)),
    )
    if wanted.warning:
        text = f"{text.rstrip()}\n\n{wanted.warning}"
    return NewStep(
        task=task,
        kind=StepKind.COMPACTION,
        title=f"Compacted {len(dropped)} steps: {wanted.why}",
        messages=(ChatMessage(role=Role.USER, content=text),),
        facts={THROUGH_FACT: wanted.through, "by": by, "why": wanted.why, SUMMARY_FACT: summary},
        usage=usage,
        elapsed_s=mind.clock.monotonic() - began,
    )


async def _asked(dropped: Sequence[Step], mind: Mind) -> tuple[str, Usage]:
    completion = await mind.model.complete(
        CompletionRequest(
            model=mind.name,
            messages=(
                ChatMessage(role=Role.SYSTEM, content=prompt("compaction")),
                ChatMessage(
                    role=Role.USER,
                    content=prompt("compaction_request", steps=rendered(dropped)),
                ),
            ),
            max_tokens=MAX_SUMMARY_TOKENS,
        )
    )
    return completion.message.content.strip()[:MAX_SUMMARY_CHARS], completion.usage


def summary_by_rule(dropped: Sequence[Step]) -> str:
    """The steps' own titles, the newest kept where there are too many."""
    _, shown = split(dropped)
    earlier = next((s for s in reversed(dropped) if s.kind is StepKind.COMPACTION), None)
    lines = str(earlier.facts.get(SUMMARY_FACT, "")).splitlines() if earlier else []
    lines += [f"- step {s.number}: {s.title}" for s in shown]
    return "\n".join(lines[-_MAX_TITLES:])[-MAX_SUMMARY_CHARS:]


def rendered(dropped: Sequence[Step]) -> str:
    """The dropped steps as text for the analysis model, bounded at every level."""
    earlier, shown = split(dropped)
    parts = [str(earlier.facts.get(SUMMARY_FACT, ""))] if earlier else []
    for step in shown:
        parts.append(f"## Step {step.number}: {step.title}")
        for message in step.messages:
            limit = _MAX_RESULT_CHARS if message.role is Role.TOOL else _MAX_SAID_CHARS
            if message.content:
                parts.append(f"{message.role.value}: {message.content[:limit]}")
            parts += [
                f"call: {call.name} {call.arguments[:_MAX_ARGUMENTS_CHARS]}"
                for call in message.tool_calls
            ]
    text = "\n".join(parts)
    return text if len(text) <= MAX_RENDERED_CHARS else text[-MAX_RENDERED_CHARS:]
