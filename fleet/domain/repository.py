"""Git, seen by the platform: trees by commit, and commits that are the same when made twice."""

from __future__ import annotations

from datetime import datetime

from fleet.domain.frozen import Frozen
from fleet.domain.ids import CommitId


class TreeEntry(Frozen):
    path: str
    size: int


class NewCommit(Frozen):
    """`changes` maps a path to its whole new text, or None to delete it.

    `at` is both author and committer date: the same commit made twice has the same id, so a
    successor that repeats a step makes no duplicate.
    """

    parent: CommitId | None
    changes: dict[str, str | None]
    message: str
    at: datetime
