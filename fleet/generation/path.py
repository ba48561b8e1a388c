"""Which paths a model may name, and which of them a task may write. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

from fleet.domain.project import SPEC_PATH
from fleet.errors import InvalidInput

MAX_PATH_CHARS = 240
MIN_REASON_CHARS = 10
MIGRATIONS_FOLDER = "db/migrations/"
_FORBIDDEN = {
    "node_modules": "It is shared and read-only; use add_package or remove_package.",
    "package-lock.json": "It follows package.json; use add_package or remove_package.",
}
# Git on some filesystems also takes these for its own folder.
_GIT_FOLDER = re.compile(r"\.git[ .]*|git~\d+", re.IGNORECASE)


def checked_path(path: str) -> str:
    """The path as it stands in the tree. Raises InvalidInput with what to write instead."""
    shown = path[:80].encode("unicode_escape").decode()
    if any(ord(c) < 32 or ord(c) == 127 for c in path):
        raise InvalidInput(f"The path {shown} holds a control character.", action="Remove it.")
    path = path.removeprefix("./")
    if not path or len(path) > MAX_PATH_CHARS:
        raise InvalidInput(
            f"A path has 1 to {MAX_PATH_CHARS} characters.", action="Use a shorter one."
        )
    if path.startswith(("/", "~")) or "\\" in path or re.match(r"[A-Za-z]:", path):
        raise InvalidInput(
            f"{shown} is not relative to the project's root.",
            action="Write it like src/pages/Home.tsx.",
        )
    for part in path.split("/"):
        if part in {"", ".", ".."}:
            raise InvalidInput(
                f"{shown} leaves the project or is not in plain form.",
                action="Write it like src/pages/Home.tsx, without '..', '.' or '//'.",
            )
        if _GIT_FOLDER.fullmatch(part):
            raise InvalidInput(f"{shown} lies in git's own folder.", action="Leave it alone.")
        if len(part.encode()) > 200:
            raise InvalidInput(f"A name in {shown} is too long.", action="Use a shorter one.")
    return path


def writable_path(path: str, scope: Iterable[str], reason: str = "") -> str:
    """Like `checked_path`, and inside the task's file scope or outside it for a `reason`."""
    path = checked_path(path)
    for part in path.split("/"):
        if part in _FORBIDDEN:
            raise InvalidInput(f"{path} cannot be written.", action=_FORBIDDEN[part])
    if path.lower() == SPEC_PATH:
        raise InvalidInput(
            f"{path} cannot be written.",
            action="The spec is changed through the plan; leave it as it is.",
        )
    patterns = tuple(scope)
    if not in_scope(path, patterns) and (not patterns or len(reason.strip()) < MIN_REASON_CHARS):
        raise InvalidInput(
            f"{path} is outside this task's file scope.",
            action=f"This task may write: {', '.join(patterns)}. Only if the task cannot be done "
            f"without it, call again with reason_outside_scope (at least {MIN_REASON_CHARS} "
            "characters).",
        )
    return path


def is_migration(path: str) -> bool:
    return path.startswith(MIGRATIONS_FOLDER) and path.endswith(".sql")


def refuse_applied(path: str, applied: Collection[str]) -> None:
    """A migration that dev has applied is history."""
    if path in applied:
        raise InvalidInput(
            f"{path} is applied already and never changes again.",
            action="Add a migration with the next number that makes the difference.",
        )


def in_scope(path: str, patterns: Iterable[str]) -> bool:
    return any(_glob(pattern).fullmatch(path) for pattern in patterns)


@lru_cache(maxsize=512)
def _glob(pattern: str) -> re.Pattern[str]:
    """`*` and `?` stay inside a folder, `**` crosses folders, a trailing `/` means all below."""
    pattern = pattern.removeprefix("./")
    if pattern.endswith("/"):
        pattern += "**"
    parts: list[str] = []
    for piece in re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", pattern):
        match piece:
            case "**/":
                parts.append("(?:.*/)?")
            case "**":
                parts.append(".*")
            case "*":
                parts.append("[^/]*")
            case "?":
                parts.append("[^/]")
            case _:
                parts.append(re.escape(piece))
    return re.compile("".join(parts), re.DOTALL)
