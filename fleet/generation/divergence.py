"""Where two transcripts of one build differ. Pure.

Commits are compared by their order, not their ids, and calls without the ids that name them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import zip_longest

from fleet.domain.chat import ChatMessage, Role
from fleet.domain.frozen import Frozen
from fleet.generation.transcript import RecordedStep, RecordedTask, Transcript

MAX_SHOWN = 160
# Compared by other means: the model's own words by its messages, commits by their order.
NOT_COMPARED = frozenset({"raw", "base", "commit"})


class Divergence(Frozen):
    """`step` is the step's number, 0 for the build's end. `what` is "prompt", "kind", "title",
    "call", "result", "told", "writes", "facts", "length" or "end"."""

    step: int
    what: str
    recorded: str
    now: str

    def __str__(self) -> str:
        where = f"step {self.step}" if self.step else "the end"
        return f"{where}, {self.what}: recorded {self.recorded!r}, now {self.now!r}"


def differences(recorded: Transcript, now: Transcript) -> list[Divergence]:
    """In the order of the steps, the end last."""
    commits = _Commits(recorded, now)
    found: list[Divergence] = []
    for old, new in zip_longest(recorded.steps, now.steps):
        if old is None or new is None:
            number = (old or new).number
            found.append(Divergence(step=number, what="length", **_pair(_name(old), _name(new))))
            break
        found += [
            Divergence(step=old.number, what=what, **_pair(a, b))
            for what, a, b in _of_step(old, new, commits)
        ]
    ends = [
        ("end", recorded.state.value, now.state.value),
        ("end", commits.out_of(recorded.explanation), commits.out_of(now.explanation)),
    ]
    ends += [("end", _task(a), _task(b)) for a, b in zip_longest(recorded.tasks, now.tasks)]
    found += [Divergence(step=0, what=w, **_pair(a, b)) for w, a, b in ends if a != b]
    return found


class _Commits:
    """Replaces commit ids in texts by their numbers. Recorded results of live tools keep theirs in
    a replay, so each transcript may quote the other's."""

    def __init__(self, *transcripts: Transcript) -> None:
        self._ids = {
            part: f"‹commit {number}›"
            for transcript in transcripts
            for number, commit in enumerate(_commits(transcript))
            for part in (commit, commit[:12], commit[:8])
        }
        longest = sorted(self._ids, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest))) if longest else None

    def out_of(self, text: str) -> str:
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: self._ids[match[0]], text)


def _commits(transcript: Transcript) -> list[str]:
    """In the order in which they were first named."""
    named = (s.facts.get(name) for s in transcript.steps for name in ("base", "commit"))
    return list(dict.fromkeys(value for value in named if isinstance(value, str)))


def _of_step(
    old: RecordedStep, new: RecordedStep, commits: _Commits
) -> Iterator[tuple[str, str, str]]:
    """(what, recorded, now) of whatever differs."""
    pairs = [
        ("kind", f"{old.kind.value} of task {old.task}", f"{new.kind.value} of task {new.task}"),
        ("title", old.title, new.title),
        ("prompt", old.prompt, new.prompt),
        ("writes", str(old.writes), str(new.writes)),
    ]
    for a, b in zip_longest(old.messages, new.messages):
        pairs.append((_what(a or b), commits.out_of(_text(a)), commits.out_of(_text(b))))
    pairs += [
        (f"fact {name}", commits.out_of(_fact(old, name)), commits.out_of(_fact(new, name)))
        for name in sorted({*old.facts, *new.facts} - NOT_COMPARED)
    ]
    return ((what, a, b) for what, a, b in pairs if a != b)


def _task(task: RecordedTask | None) -> str:
    return f"{task.title}: {task.state.value} after {task.attempts}" if task else "(no task)"


def _fact(step: RecordedStep, name: str) -> str:
    fact = step.facts.get(name)
    return "" if fact is None else json.dumps(fact, sort_keys=True, ensure_ascii=False)


def _what(message: ChatMessage) -> str:
    return {Role.TOOL: "result", Role.ASSISTANT: "call"}.get(message.role, "told")


def _text(message: ChatMessage | None) -> str:
    if message is None:
        return "(nothing)"
    calls = "".join(f"\n{c.name} {c.arguments}" for c in message.tool_calls)
    return f"{message.role.value}: {message.content}{calls}"


def _name(step: RecordedStep | None) -> str:
    return f"{step.kind.value}: {step.title}" if step else "no step"


def _pair(recorded: str, now: str) -> dict[str, str]:
    """Both texts from shortly before where they part."""
    parts = next(
        (i for i, (a, b) in enumerate(zip(recorded, now, strict=False)) if a != b),
        min(len(recorded), len(now)),
    )
    start = max(0, parts - 40)
    shown = slice(start, start + MAX_SHOWN)
    lead = "…" if start else ""
    return {"recorded": lead + recorded[shown], "now": lead + now[shown]}
