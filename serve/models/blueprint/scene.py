"""A task's conversation as blueprint sees it: what is asked, what is done, what it was told.

Everything is read from the messages, so a successor sees the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fleet.domain.chat import ChatMessage, Role
from serve.models.blueprint.conversation import (
    Answered,
    answered,
    blocks,
    last_block,
    text_of,
)
from serve.models.blueprint.known import Known, Progress, findings_in, read_progress

_MAY_CALL_ONLY = re.compile(r"may call only:? (?P<names>\w+(?:, \w+)*)")
PAST_THE_START = 1_000


@dataclass(frozen=True)
class Told:
    """A message of the anti-spiral rules, and how hard it is."""

    rule: str
    level: str


@dataclass(frozen=True)
class Scene:
    """`turn` counts its own answers; behind a progress report it starts at PAST_THE_START.

    `findings` are of all evidence, `latest` of the newest, `since` the calls made after that.
    `only` names the tools of a forced choice, which the last message tells; empty: all.
    """

    task: dict[str, object]
    done: list[Answered]
    since: list[Answered]
    findings: list[dict[str, object]]
    latest: list[dict[str, object]]
    told: tuple[Told, ...]
    progress: Progress
    turn: int
    only: frozenset[str] = frozenset()

    @property
    def known(self) -> Known:
        shown = self.task.get("files_in_scope")
        before = shown if isinstance(shown, dict) else {}
        return Known(self.progress, self.done, {str(p): text_of(t) for p, t in before.items()})

    @property
    def message(self) -> str:
        return text_of(self.task.get("message"))

    @property
    def began(self) -> bool:
        """Whether any file has been changed yet."""
        changing = ("write_file", "edit_file", "delete_file")
        made = any(a.call.name in changing and not a.failed for a in self.done)
        return made or bool(self.progress.files)

    @property
    def paths(self) -> list[str]:
        listed = self.task.get("files")
        return [str(p) for p in listed] if isinstance(listed, list) else []

    def was_told(self, *rules: str, levels: tuple[str, ...] = ()) -> bool:
        return any(
            (not rules or t.rule in rules) and (not levels or t.level in levels) for t in self.told
        )


def read_scene(messages: tuple[ChatMessage, ...]) -> Scene | None:
    """None when there is no task to work on."""
    found = last_block(messages, "task")
    if found is None:
        return None
    start, task = found
    own = messages[start:]
    progress = Progress()
    findings: list[dict[str, object]] = []
    latest: list[dict[str, object]] = []
    told: list[Told] = []
    cut, shown = len(own), False
    for index, message in enumerate(own):
        if message.role is not Role.USER:
            continue
        reports = blocks(message, "progress")
        for block in reports:
            progress, shown = read_progress(block), True
        told_now = [*blocks(message, "evidence"), *(b.get("evidence") for b in reports)]
        evidence = [f for block in told_now for f in findings_in(block)]
        if evidence:
            findings += evidence
            latest, cut = evidence, index
        told += [
            Told(text_of(b.get("rule")), text_of(b.get("level"))) for b in blocks(message, "spiral")
        ]
    turns = sum(m.role is Role.ASSISTANT for m in own)
    return Scene(
        task=task,
        done=answered(own),
        since=answered(own[cut:]),
        findings=findings,
        latest=latest,
        told=tuple(told),
        progress=progress,
        turn=turns + (PAST_THE_START if shown else 0),
        only=_only(own[-1]),
    )


def _only(last: ChatMessage) -> frozenset[str]:
    if last.role is not Role.USER:
        return frozenset()
    match = _MAY_CALL_ONLY.search(last.content)
    return frozenset(match["names"].split(", ")) if match else frozenset()
