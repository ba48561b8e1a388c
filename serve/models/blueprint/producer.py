"""The producer's right answer: writes what the plan needs, then claims done; mends what evidence
names. How it misbehaves instead is said in `misbehaviour`.

Stateless: what is done already is read from the conversation, so a successor goes on exactly
where a dead process stopped.
"""

from __future__ import annotations

from dataclasses import dataclass

from serve.models.blueprint.app_model import Change
from serve.models.blueprint.conversation import text_of
from serve.models.blueprint.edits import FileEdit, edits_for, mended_edits
from serve.models.blueprint.fault import Behaviour, Fault, is_about
from serve.models.blueprint.known import Known
from serve.models.blueprint.notes import with_notes
from serve.models.blueprint.plan import parse_design
from serve.models.blueprint.reply import Call, Reply
from serve.models.blueprint.scene import Scene
from serve.models.blueprint.tree import faulty_words

MAX_CALLS = 16
MAX_CHARS = 60_000  # of one completion's arguments


@dataclass(frozen=True)
class Work:
    """What a task wants, and the calls still to make for it. `summary` goes with the claim."""

    wanted: list[FileEdit]
    todo: list[Call]
    summary: str

    def reply(self) -> Reply:
        if self.todo:
            return Reply(text=_say(self.todo), calls=_bounded(self.todo))
        return Reply(calls=(self.claim(),))

    def claim(self) -> Call:
        return Call("claim_done", {"summary": self.summary})


def work_of(scene: Scene, behaviour: Behaviour, mistake: Fault) -> Work | None:
    """None when the plan's design is not blueprint's own."""
    change = parse_design(text_of(scene.task.get("design")))
    if change is None:
        return None
    known = scene.known
    mended = not behaviour.has(Fault.SAME_MISTAKE) and _is_mended(change, scene, known, mistake)
    plan = mended_edits if mended else edits_for
    wanted = with_notes(plan(change, scene.task, mistake), scene, behaviour.notes)
    return Work(wanted, _open_calls(wanted, scene, known), _summary(change, scene, mended))


def _is_mended(change: Change, scene: Scene, known: Known, mistake: Fault) -> bool:
    """Once evidence told of the mistake, or a file it was in is right already: a compaction keeps
    the last evidence only."""
    if mistake is Fault.NONE:
        return True
    words = faulty_words(change, mistake)
    if any(is_about(mistake, f, words) for f in scene.findings):
        return True
    wrong = {e.path: e.content for e in edits_for(change, scene.task, mistake)}
    right = {e.path: e.content for e in mended_edits(change, scene.task, mistake)}
    return any(
        wrong.get(path) != text and text is not None and known.made(path, text)
        for path, text in right.items()
    )


def _open_calls(wanted: list[FileEdit], scene: Scene, known: Known) -> list[Call]:
    """The calls not made yet. A file counts as done when it holds just the wanted text."""
    named = {text_of(f.get("where")).partition(":")[0] for f in scene.latest}
    again = {
        text_of(a.arguments.get("path"))
        for a in scene.since
        if a.call.name in ("write_file", "edit_file") and not a.failed
    }
    calls: list[Call] = []
    for edit in wanted:
        # Evidence names a file that should be right: put it there once more.
        doubted = edit.path in named and edit.path not in again | set(scene.progress.files)
        if known.is_so(edit.path, edit.content) and not doubted:
            continue
        if edit.content is None:
            calls.append(Call("delete_file", {"path": edit.path}))
        elif edit.hunks:
            calls += _hunk_calls(edit, known)
        else:
            calls.append(Call("write_file", {"path": edit.path, "content": edit.content}))
    return calls


def _hunk_calls(edit: FileEdit, known: Known) -> list[Call]:
    """Edits of a file that is there; where one does not fit any more the whole file is written."""
    made = known.passages.get(edit.path, [])
    changed_otherwise = edit.path in known.hashes or known.texts.get(edit.path) is not None
    if edit.path in known.misfits or changed_otherwise:
        if not edit.rewritable:
            return []
        return [Call("write_file", {"path": edit.path, "content": edit.content or ""})]
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


def _summary(change: Change, scene: Scene, mended: bool) -> str:
    if scene.findings and mended:
        return f"{change.model.title}: mended what the evidence named."
    return f"{change.model.title}: all files of this task are written."
