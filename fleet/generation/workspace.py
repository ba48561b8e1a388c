"""A task's work tree: a base commit with an overlay of writes, in memory.

Nothing touches a disk until `commit`; a successor gets the same tree by replaying the steps.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from fleet.domain.ids import CommitId, ProjectId
from fleet.domain.repository import NewCommit
from fleet.errors import InvalidInput, NotFound, TooLarge
from fleet.generation.misses import nearest, similar
from fleet.generation.path import (
    checked_path,
    in_scope,
    is_migration,
    refuse_applied,
    writable_path,
)
from fleet.ports import Repositories

MAX_FILES = 2_000
_MAX_LINES_TOLD = 10
# Stands in the refusal of a file that is too large; the anti-spiral rules look for it.
OVERSIZED_MARK = "one write takes at most"


@dataclass(frozen=True)
class Bounds:
    """`scope` holds the globs a task may write; empty means read-only."""

    scope: tuple[str, ...]
    max_write_bytes: int


@dataclass(frozen=True)
class Edit:
    """One exact passage and what comes in its place."""

    old: str
    new: str
    everywhere: bool = False


@dataclass(frozen=True)
class Mark:
    """The work tree at a moment, to be gone back to."""

    files: dict[str, str | None] | None
    uncommitted: dict[str, str | None]
    written: dict[str, str | None]


class Workspace:
    """Not for two tasks at once. Methods raise UserErrors that tell the model what to do."""

    def __init__(
        self, repositories: Repositories, project: ProjectId, base: CommitId, bounds: Bounds
    ) -> None:
        self.base = base
        self._repositories = repositories
        self._project = project
        self._bounds = bounds
        # What dev has applied by now: the migrations of the commit that the task starts from.
        self._start = base
        self._applied: frozenset[str] = frozenset()
        self._committed_files: dict[str, str | None] | None = None  # None as text: binary
        self._links: frozenset[str] = frozenset()
        self._uncommitted: dict[str, str | None] = {}
        self._written: dict[str, str | None] = {}

    async def paths(self) -> list[str]:
        return sorted(await self._files())

    async def files(self) -> Mapping[str, str | None]:
        """Every path with its text, None where it is not text."""
        return await self._files()

    async def text_files(self, prefix: str) -> dict[str, str]:
        files = await self._files()
        return {p: t for p, t in sorted(files.items()) if p.startswith(prefix) and t is not None}

    async def read(self, path: str) -> str:
        path = checked_path(path)
        files = await self._files()
        self._refuse_links(path)
        if path not in files:
            raise NotFound(f"There is no file {path}.", action=similar(path, list(files)))
        text = files[path]
        if text is None:
            raise InvalidInput(f"{path} is not a text file.", action="Leave it as it is.")
        return text

    async def is_outside(self, path: str) -> bool:
        """Whether the task may write it only for a reason."""
        return not in_scope(checked_path(path), self._bounds.scope)

    async def write(self, path: str, content: str, reason: str = "") -> bool:
        """Whether anything changed. Refused before anything is written. `reason` is why a path
        outside the scope is written."""
        path = await self._writable(path, reason)
        self._refuse_content(path, content)
        return await self.put(path, content)

    async def put(self, path: str, content: str) -> bool:
        """As `write`, for the platform's own tools: no scope, no bound of size."""
        files = await self._files()
        parents = ["/".join(path.split("/")[:n]) for n in range(1, path.count("/") + 1)]
        if clash := next((p for p in parents if p in files), None):
            raise InvalidInput(f"{clash} is a file, so {path} cannot lie below it.")
        if any(other.startswith(path + "/") for other in files):
            raise InvalidInput(f"{path} is a folder.", action="Name a file in it.")
        if path not in files and len(files) >= MAX_FILES:
            raise TooLarge(f"A project has at most {MAX_FILES} files.", action="Join some.")
        if files.get(path) == content:
            return False
        self._set(path, content)
        return True

    async def edit(self, path: str, change: Edit, reason: str = "") -> list[int]:
        """Replaces the one place where `old` stands, or all; answers their lines."""
        path = await self._writable(path, reason)
        text = await self.read(path)
        if not change.old:
            raise InvalidInput("`old` is empty.", action="To write a whole file use write_file.")
        if change.old == change.new:
            raise InvalidInput("`old` and `new` are the same.", action="Change something.")
        places = [m.start() for m in re.finditer(re.escape(change.old), text)]
        lines = [text.count("\n", 0, place) + 1 for place in places]
        if not places:
            raise NotFound(f"`old` does not stand in {path}.", action=nearest(text, change.old))
        if len(places) > 1 and not change.everywhere:
            raise InvalidInput(
                f"`old` stands {len(places)} times in {path}, at lines {lines[:_MAX_LINES_TOLD]}.",
                action="Take more lines around it into `old`, until it is unique, or set "
                "replace_all.",
            )
        await self.write(path, text.replace(change.old, change.new), reason)
        return lines

    async def delete(self, path: str, reason: str = "") -> None:
        path = await self._writable(path, reason)
        files = await self._files()
        if path not in files:
            raise NotFound(f"There is no file {path}.", action=similar(path, list(files)))
        self._set(path, None)

    async def move(self, path: str, to: str, reason: str = "") -> None:
        """Nothing is changed unless both can be."""
        path, to = await self._writable(path, reason), await self._writable(to, reason)
        text = await self.read(path)
        if to in await self._files():
            raise InvalidInput(f"{to} exists already.", action="Delete it first, or name another.")
        await self.put(to, text)
        self._set(path, None)

    def mark(self) -> Mark:
        files = self._committed_files
        copied = None if files is None else dict(files)
        return Mark(copied, dict(self._uncommitted), dict(self._written))

    def back_to(self, mark: Mark) -> None:
        """Everything as it was at `mark`, which is of no use afterwards."""
        self._committed_files, self._uncommitted = mark.files, mark.uncommitted
        self._written = mark.written

    def take_written(self) -> dict[str, str | None]:
        """What changed since it was last asked: the `writes` of the step that ends now."""
        written, self._written = self._written, {}
        return written

    async def replay(self, writes: Mapping[str, str | None]) -> None:
        await self._files()
        for path, text in writes.items():
            self._set(path, text)
        self._written = {}

    def committed(self, commit: CommitId) -> None:
        self.base = commit
        self._uncommitted = {}

    async def commit(self, at: datetime, message: str) -> CommitId:
        """The tree as a commit on `base`. Made again with the same arguments it is the same."""
        if not self._uncommitted:
            return self.base
        new = NewCommit(parent=self.base, changes=dict(self._uncommitted), message=message, at=at)
        return await self._repositories.commit(self._project, new)

    def _set(self, path: str, text: str | None) -> None:
        files = self._committed_files
        assert files is not None
        if text is None:
            files.pop(path, None)
        else:
            files[path] = text
        self._uncommitted[path] = text
        self._written[path] = text

    async def _writable(self, path: str, reason: str) -> str:
        files = await self._files()
        path = writable_path(path, self._bounds.scope, reason)
        if path in files:
            refuse_applied(path, self._applied)
        self._refuse_links(path)
        return path

    async def _files(self) -> dict[str, str | None]:
        if self._committed_files is None:
            entries = await self._repositories.tree(self._project, self.base)
            texts = await self._repositories.read_all(self._project, self.base, "")
            self._links = frozenset(e.path for e in entries if e.symlink)
            self._committed_files = {
                e.path: None if e.symlink else texts.get(e.path) for e in entries
            }
            if self._start != self.base:
                entries = await self._repositories.tree(self._project, self._start)
            self._applied = frozenset(e.path for e in entries if is_migration(e.path))
        return self._committed_files

    def _refuse_links(self, path: str) -> None:
        for link in self._links:
            if path == link or path.startswith(link + "/"):
                raise InvalidInput(
                    f"{link} is a symbolic link, which is never followed.",
                    action="Use another path.",
                )

    def _refuse_content(self, path: str, content: str) -> None:
        try:
            size = len(content.encode())
        except UnicodeEncodeError as error:
            raise InvalidInput(
                f"The content of {path} is not valid Unicode.", action="Write whole characters."
            ) from error
        if "\0" in content:
            raise InvalidInput(f"The content of {path} holds NUL.", action="Write text only.")
        if size > self._bounds.max_write_bytes:
            raise TooLarge(
                f"{path} would have {size} bytes; {OVERSIZED_MARK} "
                f"{self._bounds.max_write_bytes}. Nothing was written.",
                action="Split it: one component, router or test group per file, and import them.",
            )
