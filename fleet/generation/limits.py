"""Anti-spiral: rules over what a task did so far that say when it runs in circles. Pure.

A rule first gives a nudge, which stands in the conversation; when it holds again after its own
nudge the task fails.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum

from pydantic import JsonValue

from fleet.domain.build import Step, StepKind
from fleet.domain.chat import Role, ToolCall
from fleet.domain.frozen import Frozen
from fleet.ports import NewStep

Turn = Step | NewStep
Judge = Callable[[Sequence[Turn]], bool]

SAME_CALLS = 3
IDLE_STEPS = 12
SILENT_STEPS = 3
SAME_EVIDENCE = 3


class Rule(StrEnum):
    SAME_CALL = "same_call"
    NO_EDIT = "no_edit"
    ALTERNATING = "alternating"
    NO_TOOL = "no_tool"
    SAME_EVIDENCE = "same_evidence"


NUDGES = {
    Rule.SAME_CALL: "You have made the same call several times, and nothing changed between. "
    "Its answer will stay the same: change a file, or do something else.",
    Rule.NO_EDIT: "You have been looking for many steps without changing a file. Decide on the "
    "most likely cause now and edit, or claim done.",
    Rule.ALTERNATING: "A file goes back and forth between the same two contents. Neither is right: "
    "find what both have in common that is wrong.",
    Rule.NO_TOOL: "Only tool calls have an effect. Call a tool now; when the task is finished, "
    "call claim_done.",
    Rule.SAME_EVIDENCE: "The gate found exactly the same as before. The last change did not touch "
    "the cause: look elsewhere.",
}
_REASONS = {
    Rule.SAME_CALL: "it repeated the same call without effect",
    Rule.NO_EDIT: "it kept looking without changing a file",
    Rule.ALTERNATING: "it kept changing a file back and forth",
    Rule.NO_TOOL: "the model answered without using its tools",
    Rule.SAME_EVIDENCE: "the gate kept finding the same fault",
}


class Spiral(Frozen):
    """`broken` is True when the nudge for this rule has been given before and did not help."""

    rule: Rule
    broken: bool

    @property
    def nudge(self) -> str:
        return NUDGES[self.rule]

    @property
    def reason(self) -> str:
        return _REASONS[self.rule]


def spiral(steps: Sequence[Turn]) -> Spiral | None:
    """Judges a task's steps in order, the newest last."""
    if not steps:
        return None
    for rule, (holds, broken) in _RULES.items():
        if broken(steps):
            return Spiral(rule=rule, broken=True)
        # Silence is nudged each time, since nothing else would make the model go on.
        if holds(steps) and (rule is Rule.NO_TOOL or not _nudged(steps, rule)):
            return Spiral(rule=rule, broken=False)
    return None


def _nudged(steps: Sequence[Turn], rule: Rule) -> bool:
    since = steps if rule in _LASTING else _idle(steps)
    return any(step.facts.get("nudge") == rule.value for step in since)


def _after_nudge(steps: Sequence[Turn], rule: Rule) -> Sequence[Turn]:
    """The steps after this rule's nudge; none when it was not given."""
    for index in range(len(steps) - 1, -1, -1):
        if steps[index].facts.get("nudge") == rule.value:
            return steps[index + 1 :]
    return ()


def _idle(steps: Sequence[Turn]) -> Sequence[Turn]:
    """The steps since something last changed: a file, or what the gate says."""
    for index in range(len(steps) - 1, -1, -1):
        if steps[index].writes or steps[index].kind is StepKind.GATE:
            return steps[index + 1 :]
    return steps


def _same_call(steps: Sequence[Turn]) -> bool:
    calls = Counter(_signature(call) for step in _idle(steps) for call in _calls(step))
    return any(count >= SAME_CALLS for count in calls.values())


def _same_call_again(steps: Sequence[Turn]) -> bool:
    return _same_call(_after_nudge(_idle(steps), Rule.SAME_CALL))


def _no_edit(steps: Sequence[Turn]) -> bool:
    return len(_idle(steps)) >= IDLE_STEPS


def _no_edit_again(steps: Sequence[Turn]) -> bool:
    return len(_after_nudge(_idle(steps), Rule.NO_EDIT)) >= IDLE_STEPS


def _silent(steps: Sequence[Turn], count: int = 1) -> bool:
    last = steps[-count:]
    return len(last) == count and all(
        step.kind is not StepKind.GATE and not _calls(step) for step in last
    )


def _alternating(steps: Sequence[Turn]) -> bool:
    """A file's last four contents are A, B, A, B."""
    contents: dict[str, list[str]] = {}
    for step in steps:
        for path, text in step.writes.items():
            contents.setdefault(path, []).append(_digest(text))
    return any(
        len(seen) >= 4 and seen[-1] == seen[-3] != seen[-2] == seen[-4]
        for path, seen in contents.items()
        if path in steps[-1].writes
    )


def _alternating_again(steps: Sequence[Turn]) -> bool:
    after = _after_nudge(steps, Rule.ALTERNATING)
    return bool(after) and _alternating(after)


def _same_evidence(steps: Sequence[Turn], runs: int = SAME_EVIDENCE - 1) -> bool:
    """The last gate runs found one and the same set."""
    if steps[-1].kind is not StepKind.GATE:
        return False
    found = [_fingerprints(s) for s in steps if s.kind is StepKind.GATE][-runs:]
    return len(found) == runs and bool(found[0]) and len(set(found)) == 1


_RULES: dict[Rule, tuple[Judge, Judge]] = {
    Rule.NO_TOOL: (_silent, lambda steps: _silent(steps, SILENT_STEPS)),
    Rule.SAME_CALL: (_same_call, _same_call_again),
    Rule.ALTERNATING: (_alternating, _alternating_again),
    Rule.NO_EDIT: (_no_edit, _no_edit_again),
    Rule.SAME_EVIDENCE: (_same_evidence, lambda steps: _same_evidence(steps, SAME_EVIDENCE)),
}
_LASTING = frozenset({Rule.ALTERNATING})


def _fingerprints(step: Turn) -> tuple[str, ...]:
    value = step.facts.get("fingerprints")
    return tuple(sorted(str(v) for v in value)) if isinstance(value, list) else ()


def _calls(step: Turn) -> list[ToolCall]:
    return [c for m in step.messages if m.role is Role.ASSISTANT for c in m.tool_calls]


def _signature(call: ToolCall) -> str:
    try:
        arguments: JsonValue = json.loads(call.arguments or "{}")
    except ValueError:
        return f"{call.name} {call.arguments}"
    return f"{call.name} {json.dumps(arguments, sort_keys=True)}"


def _digest(text: str | None) -> str:
    return "deleted" if text is None else hashlib.sha256(text.encode()).hexdigest()
