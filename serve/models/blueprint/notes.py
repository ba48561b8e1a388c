"""`blueprint+long-N`: N small documents beside the app, so that a build takes N steps more.

They are text from the prompt alone, big enough that the history outgrows its window, and nothing
imports them, so that the gate has nothing to say about them.
"""

from __future__ import annotations

import hashlib

from serve.models.blueprint.edits import FileEdit
from serve.models.blueprint.scene import Scene

FOLDER = "docs/notes"
NOTE_CHARS = 3_000
_WORDS = [
    "order",
    "page",
    "list",
    "field",
    "value",
    "owner",
    "table",
    "screen",
    "button",
    "label",
    "filter",
    "search",
    "record",
    "number",
    "date",
    "title",
    "person",
    "status",
    "change",
    "reason",
    "answer",
    "question",
    "detail",
    "example",
    "choice",
    "import",
    "export",
    "total",
]


def with_notes(wanted: list[FileEdit], scene: Scene, count: int) -> list[FileEdit]:
    """The app's files stand between two halves of the notes: a compaction falls among both."""
    if count == 0 or scene.task.get("position", 1) != 1:
        return wanted
    notes = [
        FileEdit(f"{FOLDER}/{number:03d}.md", note(scene.message, number))
        for number in range(1, count + 1)
    ]
    half = count // 2
    return [*notes[:half], *wanted, *notes[half:]]


def note(message: str, number: int) -> str:
    """The same for the same message and number; no two are alike."""
    lines = [f"# Note {number}", ""]
    size = sum(len(line) + 1 for line in lines)
    for line in range(NOTE_CHARS):
        drawn = hashlib.sha256(f"{message}\n{number}\n{line}".encode()).digest()
        text = f"{line + 1}. " + " ".join(_WORDS[byte % len(_WORDS)] for byte in drawn[:12])
        if size + len(text) + 1 > NOTE_CHARS:
            break
        lines.append(text)
        size += len(text) + 1
    return "\n".join(lines) + "\n"
