"""What of a conversation goes into a prompt: history compressed by rule. Pure.

The prompt is a function of the recorded steps alone, so a successor builds the same bytes. It is
cut at step boundaries only, so every tool call keeps its answer; between two cuts it only grows
at its end, so a serving engine's prefix cache hits. What a cut drops stays as a progress report.
"""

from __future__ import annotations

from collections.abc import Sequence

from fleet.domain.build import Step, StepKind
from fleet.domain.chat import ChatMessage, Role
from fleet.generation.prompt import prompt

# About 100,000 tokens, then down to a third, so that cuts are rare.
HIGH_CHARS = 400_000
LOW_CHARS = 130_000
MAX_LISTED = 200


def conversation(
    head: Sequence[ChatMessage],
    steps: Sequence[Step],
    high_chars: int = HIGH_CHARS,
    low_chars: int = LOW_CHARS,
) -> tuple[ChatMessage, ...]:
    """`head` is never cut: the system prompt and the task."""
    start, size = 0, 0
    for index, step in enumerate(steps):
        size += size_of(step.messages)
        if size > high_chars:
            while start < index and size > low_chars:
                size -= size_of(steps[start].messages)
                start += 1
    told = [] if start == 0 else [progress(steps[:start])]
    return (*head, *told, *(m for step in steps[start:] for m in step.messages))


def size_of(messages: Sequence[ChatMessage]) -> int:
    """In characters, arguments of calls included."""
    return sum(len(m.content) + sum(len(c.arguments) for c in m.tool_calls) for m in messages)


def progress(dropped: Sequence[Step]) -> ChatMessage:
    """Files written, SQL executed and checks, of steps no longer shown. Never dropped itself."""
    files: dict[str, str | None] = {}
    for step in dropped:
        files.update(step.writes)
    sql = [str(q) for step in dropped for q in _list(step, "sql")]
    gates = [step for step in dropped if step.kind is StepKind.GATE]
    lines = ["Files written:"]
    lines += [
        f"- {path}: {'deleted' if text is None else f'{len(text.encode())} bytes'}"
        for path, text in sorted(files.items())[:MAX_LISTED]
    ] or ["- none"]
    if sql:
        lines += ["SQL executed:", *(f"- {query}" for query in sql[-MAX_LISTED:])]
    for gate in gates:
        lines.append(f"Gate run {gate.facts.get('attempt')} at {gate.facts.get('commit')}: red.")
        lines += [f"- {text}" for text in _list(gate, "told")]
    text = prompt(
        "progress",
        from_step=str(dropped[0].number),
        to_step=str(dropped[-1].number),
        progress="\n".join(lines),
    )
    return ChatMessage(role=Role.USER, content=text)


def _list(step: Step, fact: str) -> list[object]:
    value = step.facts.get(fact)
    return list(value) if isinstance(value, list) else []
