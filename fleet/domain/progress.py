"""What a step did, as typed facts that outlive the text of the conversation. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from pydantic import JsonValue, ValidationError

from fleet.domain.frozen import Frozen

NOTES_FACT = "notes"


class SqlRun(Frozen):
    """`database` is "dev" or "draft"; `rows` it read or changed; `error` is "" when it ran."""

    statement: str
    database: str
    rows: int = 0
    error: str = ""


class CheckRun(Frozen):
    """A check the producer ran itself ("typecheck", "tests"); `fingerprint` "" when it passed."""

    check: str
    passed: bool
    fingerprint: str = ""


class ScopeExit(Frozen):
    """A write outside the task's file scope, and why the model said it was needed."""

    path: str
    reason: str


class FileStamp(Frozen):
    """What a file held when it was last written; `sha256` is that of its UTF-8 text, in hex."""

    path: str
    sha256: str
    bytes: int


def stamp(path: str, text: str) -> FileStamp:
    data = text.encode()
    return FileStamp(path=path, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


class StepNotes(Frozen):
    """`confirmed` files were written with the text that they held already. `decisions`,
    `checkpoints` (ids) and `packages` ("+zod@4.1.0", "-left-pad") are words."""

    confirmed: tuple[FileStamp, ...] = ()
    sql: tuple[SqlRun, ...] = ()
    checks: tuple[CheckRun, ...] = ()
    decisions: tuple[str, ...] = ()
    scope_exits: tuple[ScopeExit, ...] = ()
    checkpoints: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()


def notes_of(facts: Mapping[str, JsonValue]) -> StepNotes:
    """Of a step's facts; empty for steps recorded before there were notes."""
    try:
        return StepNotes.model_validate(facts.get(NOTES_FACT) or {})
    except ValidationError:
        return StepNotes()
