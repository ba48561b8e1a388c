"""The producer's turn: writes what the plan needs, then claims done; mends what evidence names.

Stateless: what is done already is read from the conversation, so a successor goes on exactly
where a dead process stopped.
"""

from __future__ import annotations

from dataclasses import dataclass

from fleet.domain.chat import ChatMessage, Role
from serve.models.blueprint.app_model import Change
from serve.models.blueprint.conversation import (
    Answered,
    answered,
    blocks,
    last_block,
    text_of,
)
from serve.models.blueprint.edits import FileEdit, edits_for, mended_edits
from serve.models.blueprint.fault import Fault, is_about
from serve.models.blueprint.plan import parse_design
from serve.models.blueprint.reply import Call, Reply
from serve.models.blueprint.tree import faulty_words

MAX_CALLS = 16
MAX_CHARS = 60_000  # of one completion's arguments


@dataclass(frozen=True)
class _Turn:
    """The conversation from the task on, split at the last evidence."""

    task: dict[str, object]
    before: list[Answered]
    after: list[Answered]
    findings: list[dict[str, object]]  # of all evidence so far
    latest: list[dict[str, object]]  # of the last evidence block


def producer_turn(messages: tuple[ChatMessage, ...], fault: Fault) -> Reply:
    found = last_block(messages, "task")
    if found is None:
        return Reply(text="There is no `json appfleet:task` block to work from.")
    turn = _read(messages[found[0] :], found[1])
    change = parse_design(text_of(turn.task.get("design")))
    if change is None:
        return Reply(text="The plan's design was not made by blueprint, which can build no other.")
    words = faulty_words(change, fault)
    mended = fault is Fault.NONE or any(is_about(fault, f, words) for f in turn.findings)
    plan = mended_edits if mended else edits_for
    wanted = plan(change, turn.task, fault)
    todo = _open_calls(wanted, turn)
    if todo:
        return Reply(text=_say(todo), calls=_bounded(todo))
    return Reply(calls=(Call("claim_done", {"summary": _summary(change, turn, mended)}),))


def _read(messages: tuple[ChatMessage, ...], task: dict[str, object]) -> _Turn:
    cut = len(messages)
    findings: list[dict[str, object]] = []
    latest: list[dict[str, object]] = []
    for index, message in enumerate(messages):
        if message.role is not Role.USER:
            continue
        found = [f for block in blocks(message, "evidence") for f in _findings(block)]
        if found:
            findings += found
            latest, cut = found, index
    if not findings:
        return _Turn(task, [], answered(messages), [], [])
    return _Turn(task, answered(messages[:cut]), answered(messages[cut:]), findings, latest)


def _findings(block: dict[str, object]) -> list[dict[str, object]]:
    found = block.get("findings")
    return [f for f in found if isinstance(f, dict)] if isinstance(found, list) else []


def _open_calls(wanted: list[FileEdit], turn: _Turn) -> list[Call]:
    """The calls not made yet. A whole file counts as done when it was written with that text."""
    done = [*turn.before, *turn.after]
    written = _last_writes(done)
    named = {text_of(f.get("where")).partition(":")[0] for f in turn.latest}
    again = _last_writes(turn.after)
    calls: list[Call] = []
    for edit in wanted:
        if edit.content is None:
            deletes = [a for a in done if a.call.name == "delete_file"]
            if not any(a.arguments.get("path") == edit.path for a in deletes):
                calls.append(Call("delete_file", {"path": edit.path}))
        elif edit.hunks:
            calls += _hunk_calls(edit, done, written)
        elif written.get(edit.path) != edit.content or (
            # Evidence names a file that should be right: put it there once more.
            edit.path in named and again.get(edit.path) != edit.content
        ):
            calls.append(Call("write_file", {"path": edit.path, "content": edit.content}))
    return calls


def _last_writes(done: list[Answered]) -> dict[str, str]:
    return {
        text_of(a.arguments.get("path")): text_of(a.arguments.get("content"))
        for a in done
        if a.call.name == "write_file" and not a.failed
    }


def _hunk_calls(edit: FileEdit, done: list[Answered], written: dict[str, str]) -> list[Call]:
    """Edits of a file that is there; where one does not fit any more the whole file is written."""
    if written.get(edit.path) == edit.content:
        return []
    tried = [a for a in done if a.call.name == "edit_file" and a.arguments.get("path") == edit.path]
    if any(a.failed for a in tried):
        if not edit.rewritable:
            return []
        return [Call("write_file", {"path": edit.path, "content": edit.content or ""})]
    made = {(text_of(a.arguments.get("old")), text_of(a.arguments.get("new"))) for a in tried}
    return [
        Call("edit_file", {"path": edit.path, "old": old, "new": new})
        for old, new in edit.hunks
        if (old, new) not in made
    ]


def _bounded(calls: list[Call]) -> tuple[Call, ...]:
    kept: list[Call] = []
    size = 0
    for call in calls:
        size += sum(len(str(value)) for value in call.arguments.values())
        if kept and (size > MAX_CHARS or len(kept) == MAX_CALLS):
            break
        kept.append(call)
    return tuple(kept)


def _say(calls: list[Call]) -> str:
    return f"{len(calls)} file change{'s' if len(calls) != 1 else ''} to make."


def _summary(change: Change, turn: _Turn, mended: bool) -> str:
    if turn.findings and mended:
        return f"{change.model.title}: mended what the evidence named."
    return f"{change.model.title}: all files of this task are written."
