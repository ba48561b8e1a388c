"""A task of a change -> the file edits it takes, in order."""

from __future__ import annotations

import difflib
import fnmatch
from dataclasses import dataclass

from serve.models.blueprint.app_model import Change
from serve.models.blueprint.fault import Fault
from serve.models.blueprint.tree import PLACEHOLDER_TEST, files_of, migrations_of, text_edits

CONTEXT_LINES = 2


@dataclass(frozen=True)
class FileEdit:
    """`content` is the whole new text (None: delete). With `hunks` the file is edited in place.

    `rewritable` is False for files blueprint does not know the whole text of.
    """

    path: str
    content: str | None
    hunks: tuple[tuple[str, str], ...] = ()
    rewritable: bool = True


def edits_for(change: Change, task: dict[str, object], fault: Fault) -> list[FileEdit]:
    """What the first attempt does; with a fault it makes that mistake."""
    edits = [
        *(FileEdit(path, text) for path, text in migrations_of(change, fault).items()),
        *_tree_edits(change, fault),
        *(
            FileEdit(path, new, ((old, new),), rewritable=False)
            for path, old, new in text_edits(change)
        ),
    ]
    if change.previous is None and PLACEHOLDER_TEST in _files(task, PLACEHOLDER_TEST):
        edits.append(FileEdit(PLACEHOLDER_TEST, None))
    return [e for e in edits if _belongs(e.path, task)]


def mended_edits(change: Change, task: dict[str, object], fault: Fault) -> list[FileEdit]:
    """As the first attempt, but the files the mistake was in are written whole and right."""
    right = files_of(change.model) | migrations_of(change, fault, mended=True)
    first = {e.path: e for e in edits_for(change, task, fault)}
    good = {e.path: e for e in edits_for(change, task, Fault.NONE)}
    edits: list[FileEdit] = []
    for path in {**first, **good, **dict.fromkeys(migrations_of(change, fault, mended=True))}:
        edit = first.get(path)
        if edit is not None and (path not in right or edit.content == right[path]):
            edits.append(edit)
        else:
            edits.append(FileEdit(path, right.get(path)))
    return [e for e in edits if _belongs(e.path, task)]


def _tree_edits(change: Change, fault: Fault) -> list[FileEdit]:
    new = files_of(change.model, fault)
    old = files_of(change.previous) if change.previous is not None else {}
    edits = [FileEdit(path, None) for path in old if path not in new]
    for path, text in new.items():
        if path not in old:
            edits.append(FileEdit(path, text))
        elif old[path] != text:
            edits.append(FileEdit(path, text, hunks(old[path], text)))
    return edits


def _files(task: dict[str, object], default: str) -> list[str]:
    """The project's files as the task names them; without a list, what a scaffold has."""
    listed = task.get("files")
    if not isinstance(listed, list):
        return [default]
    return [str(f.get("path", "")) if isinstance(f, dict) else str(f) for f in listed]


def _belongs(path: str, task: dict[str, object]) -> bool:
    """A build of two tasks makes everything but the entity pages first."""
    scope = task.get("scope")
    patterns = [str(s) for s in scope] if isinstance(scope, list) and scope else ["**"]
    if not any(p in ("**", "**/*") or _matches(path, p) for p in patterns):
        return False
    if task.get("of") != 2:
        return True
    of_pages = path == "src/App.tsx" or (path.startswith("src/pages/") and path.count("/") == 3)
    return of_pages if task.get("position") == 2 else not of_pages


def _matches(path: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(path, pattern.replace("**/", "*").replace("**", "*"))


def hunks(old: str, new: str) -> tuple[tuple[str, str], ...]:
    """(old, new) passages that turn one text into the other; each old passage occurs once.

    Empty when that cannot be had, which means: write the whole file.
    """
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    found: list[tuple[str, str]] = []
    groups = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for group in groups.get_grouped_opcodes(CONTEXT_LINES):
        i1, i2, j1, j2 = group[0][1], group[-1][2], group[0][3], group[-1][4]
        found.append(("".join(before[i1:i2]), "".join(after[j1:j2])))
    text = old
    for passage, replacement in found:
        if not passage or text.count(passage) != 1:
            return ()
        text = text.replace(passage, replacement)
    return tuple(found) if text == new else ()
