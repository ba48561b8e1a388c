"""What of a conversation goes into a prompt, and how much of it a serving engine has seen. Pure.

The prompt is a function of the recorded steps alone, so a successor builds the same bytes. It is
cut at step boundaries only, so every tool call keeps its answer. Between two compactions it only
grows at its end, so that a serving engine's prefix cache hits; a compaction is itself a recorded
step, and its one message stands for all the steps up to the one it names.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from fleet.domain.build import Step, StepKind
from fleet.domain.chat import ChatMessage, Usage
from fleet.domain.frozen import Frozen

CHARS_PER_TOKEN = 4  # a usual average of code and English
THROUGH_FACT = "through"  # of a compaction: the number of the last step it stands for


class Window(Frozen):
    """Bounds of a prompt in tokens: compacted above `high`, down to about `low`."""

    high: int
    low: int


def conversation(head: Sequence[ChatMessage], steps: Sequence[Step]) -> tuple[ChatMessage, ...]:
    """`head` is never cut: the system prompt and the task."""
    told, shown = split(steps)
    messages = told.messages if told else ()
    return (*head, *messages, *(m for step in shown for m in step.messages))


def split(steps: Sequence[Step]) -> tuple[Step | None, list[Step]]:
    """The last compaction, and the steps that are still shown in full."""
    told = next((s for s in reversed(steps) if s.kind is StepKind.COMPACTION), None)
    through = told.facts.get(THROUGH_FACT) if told else 0
    assert isinstance(through, int)
    return told, [s for s in steps if s.number > through and s.kind is not StepKind.COMPACTION]


def cut(head: Sequence[ChatMessage], steps: Sequence[Step], window: Window) -> int:
    """The number of the step up to which to compact now; 0 when there is nothing to do.

    The newest step is kept even where it alone is above the low mark, unless it is above the high
    one: the model has not seen its results yet.
    """
    told, shown = split(steps)
    size = tokens(conversation(head, steps))
    if size <= window.high or not shown:
        return 0
    kept = tokens(head)
    through = shown[-1].number
    for newer, step in reversed(list(enumerate(shown))):
        kept += tokens(step.messages)
        if kept > (window.high if newer == len(shown) - 1 else window.low):
            break
        through = step.number - 1
    covered = told.facts.get(THROUGH_FACT) if told else 0
    assert isinstance(covered, int)
    return through if through > covered and through >= shown[0].number else 0


def before(head: Sequence[ChatMessage], steps: Sequence[Step]) -> tuple[ChatMessage, ...]:
    """The prompt of the last completion among `steps`; empty when there was none."""
    asked = (StepKind.ARCHITECT, StepKind.PRODUCER)
    last = max((i for i, s in enumerate(steps) if s.kind in asked), default=None)
    return () if last is None else conversation(head, steps[:last])


def tokens(messages: Sequence[ChatMessage]) -> int:
    """An estimate, arguments of calls included."""
    return sum(_size(m) for m in messages) // CHARS_PER_TOKEN


def repeated(before: Sequence[ChatMessage], now: Sequence[ChatMessage]) -> float:
    """The share of the prompt `now` that repeats the prefix of the prompt before it."""
    total = sum(_size(m) for m in now)
    same = 0
    for old, new in zip(before, now, strict=False):
        if old == new:
            same += _size(new)
            continue
        if old.role is new.role:
            pairs = zip(old.content, new.content, strict=False)
            same += sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        break
    return same / total if total else 0.0


def seen_before(usage: Usage, share: float) -> Usage:
    return usage.model_copy(update={"repeated_tokens": round(usage.prompt_tokens * share)})


def _size(message: ChatMessage) -> int:
    return len(message.content) + sum(len(c.name) + len(c.arguments) for c in message.tool_calls)
