"""Git, seen by the platform: trees by commit, and commits that are the same when made twice."""

from __future__ import annotations

from datetime import datetime

from fleet.domain.frozen import Frozen
from fleet.domain.ids import CommitId
from fleet.errors import InvalidInput


class TreeEntry(Frozen):
    path: str
    size: int
    symlink: bool = False  # never followed: reading or writing through one is refused


class NewCommit(Frozen):
    """`changes` maps a path to its whole new text, or None to delete it.

    `at` is both author and committer date: the same commit made twice has the same id, so a
    successor that repeats a step makes no duplicate.
    """

    parent: CommitId | None
    changes: dict[str, str | None]
    message: str
    at: datetime


def plain_path(path: str) -> str:
    """The path itself when it is relative and in plain form. Raises InvalidInput else."""
    parts = path.split("/")
    if (
        not path
        or any(ord(c) < 32 or ord(c) == 127 for c in path)
        or any(part in {"", ".", ".."} or part.lower() == ".git" for part in parts)
    ):
        raise InvalidInput(
            f"{path[:80]!r} is not a path inside the project.",
            action="Write it relative and plain, like src/pages/Home.tsx.",
        )
    return path
