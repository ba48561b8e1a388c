"""What the anti-spiral rules count in recorded steps. Pure."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Sequence

from pydantic import JsonValue

from fleet.domain.build import Step, StepKind
from fleet.domain.chat import Role, ToolCall
from fleet.domain.progress import notes_of
from fleet.ports import NewStep

Turn = Step | NewStep

OVERSIZED_FACT = "oversized"
REWRITTEN_FACT = "rewritten"


def since_change(steps: Sequence[Turn]) -> Sequence[Turn]:
    """The steps since something last changed: a file, or what the gate says."""
    for index in range(len(steps) - 1, -1, -1):
        if steps[index].writes or steps[index].kind is StepKind.GATE:
            return steps[index + 1 :]
    return steps


def since_other_evidence(steps: Sequence[Turn]) -> Sequence[Turn]:
    """The steps from the first of the last gate runs that all found one and the same."""
    start, last = len(steps), None
    for index in range(len(steps) - 1, -1, -1):
        if steps[index].kind is not StepKind.GATE:
            continue
        found = fingerprints(steps[index])
        if not found or (last is not None and found != last):
            break
        last, start = found, index
    return steps[start:]


def since_progress(steps: Sequence[Turn]) -> Sequence[Turn]:
    """The steps after the last check that came out better than every one of its kind before."""
    best: dict[str, int] = {}
    start = 0
    for index, step in enumerate(steps):
        for check, findings in results(step):
            if check in best and findings < best[check]:
                start = index + 1
            best[check] = min(findings, best.get(check, findings))
    return steps[start:]


def results(step: Turn) -> list[tuple[str, int]]:
    """(check, how much it found): the gate's, then those the producer ran itself."""
    if step.kind is StepKind.GATE:
        return [("gate", len(fingerprints(step)))]
    return [(run.check, 0 if run.passed else 1) for run in notes_of(step.facts).checks]


def stuck_checks(steps: Sequence[Turn]) -> int:
    """Red gate runs, and checks the producer ran itself that found what they had found before: a
    compiler that names other files while an app is being written is no sign of anything."""
    count, seen = 0, set[str]()
    for step in steps:
        count += step.kind is StepKind.GATE and bool(fingerprints(step))
        for run in notes_of(step.facts).checks:
            count += not run.passed and run.fingerprint in seen
            seen.add(run.fingerprint)
    return count


def ends_with_check(steps: Sequence[Turn]) -> bool:
    return bool(steps) and any(findings for _, findings in results(steps[-1]))


def gates(steps: Sequence[Turn]) -> int:
    return sum(step.kind is StepKind.GATE for step in steps)


def ends_with_gate(steps: Sequence[Turn]) -> bool:
    return bool(steps) and steps[-1].kind is StepKind.GATE


def silent(steps: Sequence[Turn]) -> int:
    """How many of the last steps called nothing."""
    count = 0
    for step in reversed(steps):
        if step.kind is not StepKind.PRODUCER or calls(step):
            break
        count += 1
    return count


def oversized(steps: Sequence[Turn]) -> int:
    total = 0
    for step in steps:
        value = step.facts.get(OVERSIZED_FACT)
        total += value if isinstance(value, int) else 0
    return total


def same_calls(steps: Sequence[Turn]) -> int:
    """How often the most repeated call was made, arguments and all."""
    made = Counter(_signature(call) for step in steps for call in calls(step))
    return max(made.values(), default=0)


def alternations(steps: Sequence[Turn]) -> int:
    """How often the last written file has come back to a content it had two writes before."""
    if not steps or not steps[-1].writes:
        return 0
    contents: dict[str, list[str]] = defaultdict(list)
    for step in steps:
        for path, text in step.writes.items():
            contents[path].append(_digest(text))
    return max(
        sum(a == b for a, b in zip(seen, seen[2:], strict=False))
        for path, seen in contents.items()
        if path in steps[-1].writes
    )


def rewrites(steps: Sequence[Turn]) -> int:
    """How often the most rewritten file was replaced whole, if the last step did so again."""
    if not steps or not _rewritten(steps[-1]):
        return 0
    made = Counter(path for step in steps for path in _rewritten(step))
    return max(made[path] for path in _rewritten(steps[-1]))


def _rewritten(step: Turn) -> list[str]:
    value = step.facts.get(REWRITTEN_FACT)
    return [str(path) for path in value] if isinstance(value, list) else []


def fingerprints(step: Turn) -> tuple[str, ...]:
    value = step.facts.get("fingerprints")
    return tuple(sorted(str(v) for v in value)) if isinstance(value, list) else ()


def calls(step: Turn) -> list[ToolCall]:
    return [c for m in step.messages if m.role is Role.ASSISTANT for c in m.tool_calls]


def _signature(call: ToolCall) -> str:
    try:
        arguments: JsonValue = json.loads(call.arguments or "{}")
    except ValueError:
        return f"{call.name} {call.arguments}"
    return f"{call.name} {json.dumps(arguments, sort_keys=True)}"


def _digest(text: str | None) -> str:
    return "deleted" if text is None else hashlib.sha256(text.encode()).hexdigest()
