"""Why a task is given up, in words a person can act on. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.domain.build import StepKind
from fleet.domain.chat import Role
from fleet.generation.limits import Level, spiral_of
from fleet.generation.signs import Turn

FAILED_FACT = "failed"
_MAX_QUOTE_CHARS = 300
_TRIED = {
    Level.MESSAGE: "a pointed message",
    Level.FORCED: "a forced choice of tools",
    Level.FRESH: "a fresh context",
}


def diagnosis(reason: str, steps: Sequence[Turn]) -> str:
    """The rule's reason, what was tried against it, what the gate says and what the model said."""
    parts = [reason]
    levels = {found.level for step in steps if (found := spiral_of(step)) is not None}
    tried = [words for level, words in _TRIED.items() if level in levels]
    if tried:
        parts.append(f"{_listed(tried)} did not help")
    if told := last_evidence(steps):
        parts.append(f"the last evidence is {told}")
    if said := _last_words(steps):
        parts.append(f"the model said last: “{said}”")
    return "; ".join(parts)


def last_evidence(steps: Sequence[Turn]) -> str:
    """The first finding of the last gate run, "" before any."""
    gate = next((s for s in reversed(steps) if s.kind is StepKind.GATE), None)
    told = gate.facts.get("told") if gate else None
    return str(told[0]) if isinstance(told, list) and told else ""


def _last_words(steps: Sequence[Turn]) -> str:
    for step in reversed(steps):
        for message in step.messages:
            if message.role is Role.ASSISTANT and message.content.strip():
                return " ".join(message.content.split())[:_MAX_QUOTE_CHARS]
    return ""


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
