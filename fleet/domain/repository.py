"""Git, seen by the platform: trees by commit, and commits that are the same when made twice."""

from __future__ import annotations

from collections.abc import Iterable
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
        or any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) < 0xE000 for c in path)
        or any(part in {"", ".", ".."} or part.lower() == ".git" for part in parts)
    ):
        raise InvalidInput(
            f"{path[:80]!r} is not a path inside the project.",
            action="Write it relative and plain, like src/pages/Home.tsx.",
        )
    return path


def refuse_clashes(paths: Iterable[str]) -> None:
    """Raises InvalidInput when a file stands where another one needs a folder."""
    files = set(paths)
    for path in files:
        parts = path.split("/")
        for length in range(1, len(parts)):
            folder = "/".join(parts[:length])
            if folder in files:
                raise InvalidInput(
                    f"{folder[:80]!r} cannot be a file and the folder of {path[:80]!r}.",
                    action="Choose another name for one of them.",
                )
