"""What blueprint knows of the work done so far: from its own calls, and from the progress report
that stands for calls no longer shown."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from serve.models.blueprint.conversation import Answered, text_of


@dataclass(frozen=True)
class Progress:
    """A block `json appfleet:progress`. `files` holds the hash of each file's text, "" deleted."""

    files: dict[str, str] = field(default_factory=dict)
    sql: tuple[str, ...] = ()
    findings: tuple[dict[str, object], ...] = ()


def read_progress(block: dict[str, object]) -> Progress:
    files: dict[str, str] = {}
    listed = block.get("files")
    for path, state in listed.items() if isinstance(listed, dict) else ():
        files[str(path)] = text_of(state.get("sha256")) if isinstance(state, dict) else ""
    runs = block.get("sql")
    statements = [r.get("statement") for r in _objects(runs)]
    return Progress(
        files=files,
        sql=tuple(text_of(s) for s in statements),
        findings=tuple(findings_in(block.get("evidence"))),
    )


def findings_in(value: object) -> list[dict[str, object]]:
    """The findings of an evidence block, which holds them as a list or under that name."""
    return _objects(value.get("findings") if isinstance(value, dict) else value)


def _objects(value: object) -> list[dict[str, object]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Known:
    """The files blueprint changed, as it left them.

    `texts` holds a text where it is known word for word (None: deleted), `hashes` what a progress
    report says, `passages` the edits made in a file it never wrote whole; `before` are the files as
    the task shows them.
    """

    def __init__(
        self, progress: Progress, done: Iterable[Answered], before: Mapping[str, str]
    ) -> None:
        self._before = before
        self.hashes = dict(progress.files)
        self.texts: dict[str, str | None] = {}
        self.passages: dict[str, list[tuple[str, str]]] = {}
        self.misfits: set[str] = set()
        for call in done:
            self._take(call)

    def _take(self, made: Answered) -> None:
        arguments = made.arguments
        path = text_of(arguments.get("path"))
        name = made.call.name
        if name == "edit_file":
            self._take_edit(
                made, path, text_of(arguments.get("old")), text_of(arguments.get("new"))
            )
        elif made.failed:
            # A second delete finds nothing: what it wanted is so.
            if name == "delete_file":
                self.texts[path] = None
        elif name == "write_file":
            self.texts[path] = text_of(arguments.get("content"))
            self.misfits.discard(path)
        elif name == "delete_file":
            self.texts[path] = None

    def _take_edit(self, made: Answered, path: str, old: str, new: str) -> None:
        if made.failed:
            self.misfits.add(path)
            return
        self.passages.setdefault(path, []).append((old, new))
        text = self.texts.get(path)
        if text is not None:
            self.texts[path] = text.replace(old, new, 1)

    def made(self, path: str, content: str | None) -> bool:
        """Whether it left the file with just this text, or deleted it."""
        if path in self.texts:
            return self.texts[path] == content
        if path in self.hashes:
            return self.hashes[path] == ("" if content is None else digest(content))
        return False

    def is_so(self, path: str, content: str | None) -> bool:
        """As `made`, or the file had this text before."""
        touched = path in self.texts or path in self.hashes or path in self.passages
        if touched or content is None:
            return self.made(path, content)
        return self._before.get(path) == content
