"""A task's work tree: a base commit with an overlay of writes, in memory.

Nothing touches a disk until `commit`; a successor gets the same tree by replaying the steps.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from fleet.domain.ids import CommitId, ProjectId
from fleet.domain.repository import NewCommit
from fleet.errors import InvalidInput, NotFound, TooLarge
from fleet.generation.path import checked_path, writable_path
from fleet.ports import Repositories

MAX_FILES = 2_000
MAX_MATCHES = 100
_MAX_LINE_CHARS = 240
# Stands in the refusal of a file that is too large; the anti-spiral rules look for it.
OVERSIZED_MARK = "one write takes at most"


@dataclass(frozen=True)
class Match:
    path: str
    line: int
    text: str


@dataclass(frozen=True)
class Bounds:
    """`scope` holds the globs a task may write; empty means read-only."""

    scope: tuple[str, ...]
    max_write_bytes: int


class Workspace:
    """Not for two tasks at once. Methods raise UserErrors that tell the model what to do."""

    def __init__(
        self, repositories: Repositories, project: ProjectId, base: CommitId, bounds: Bounds
    ) -> None:
        self.base = base
        self._repositories = repositories
        self._project = project
        self._bounds = bounds
        self._committed_files: dict[str, str | None] | None = None  # None as text: binary
        self._links: frozenset[str] = frozenset()
        self._uncommitted: dict[str, str | None] = {}
        self._written: dict[str, str | None] = {}

    async def paths(self) -> list[str]:
        return sorted(await self._files())

    async def text_files(self, prefix: str) -> dict[str, str]:
        files = await self._files()
        return {p: t for p, t in sorted(files.items()) if p.startswith(prefix) and t is not None}

    async def read(self, path: str) -> str:
        path = checked_path(path)
        files = await self._files()
        self._refuse_links(path)
        if path not in files:
            raise NotFound(f"There is no file {path}.", action=_similar(path, list(files)))
        text = files[path]
        if text is None:
            raise InvalidInput(f"{path} is not a text file.", action="Leave it as it is.")
        return text

    async def write(self, path: str, content: str) -> bool:
        """Whether anything changed. Refused before anything is written."""
        files = await self._files()
        path = writable_path(path, self._bounds.scope)
        self._refuse_links(path)
        self._refuse_content(path, content)
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

    async def edit(self, path: str, old: str, new: str) -> int:
        """Replaces the one place where `old` stands; answers its line."""
        text = await self.read(path)
        path = checked_path(path)
        if not old:
            raise InvalidInput("`old` is empty.", action="To write a whole file use write_file.")
        if old == new:
            raise InvalidInput("`old` and `new` are the same.", action="Change something.")
        count = text.count(old)
        if count == 0:
            raise NotFound(f"`old` does not stand in {path}.", action=_nearest(text, old))
        if count > 1:
            lines = [text[: m.start()].count("\n") + 1 for m in re.finditer(re.escape(old), text)]
            raise InvalidInput(
                f"`old` stands {count} times in {path}, at lines {lines[:10]}.",
                action="Take more lines around it into `old`, until it is unique.",
            )
        await self.write(path, text.replace(old, new, 1))
        return text[: text.index(old)].count("\n") + 1

    async def delete(self, path: str) -> None:
        files = await self._files()
        path = writable_path(path, self._bounds.scope)
        self._refuse_links(path)
        if path not in files:
            raise NotFound(f"There is no file {path}.", action=_similar(path, list(files)))
        self._set(path, None)

    async def search(self, wanted: str, prefix: str = "") -> list[Match]:
        """At most MAX_MATCHES lines. Literal: a model's regular expression could run for ever,
        and would hold every build of the process meanwhile."""
        return _search(wanted.casefold(), await self.text_files(prefix))

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

    async def _files(self) -> dict[str, str | None]:
        if self._committed_files is None:
            entries = await self._repositories.tree(self._project, self.base)
            texts = await self._repositories.read_all(self._project, self.base, "")
            self._links = frozenset(e.path for e in entries if e.symlink)
            self._committed_files = {
                e.path: None if e.symlink else texts.get(e.path) for e in entries
            }
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


def _search(wanted: str, files: Mapping[str, str]) -> list[Match]:
    found: list[Match] = []
    for path, text in files.items():
        if path == "package-lock.json":
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if wanted in line.casefold():
                found.append(Match(path, number, line.strip()[:_MAX_LINE_CHARS]))
                if len(found) >= MAX_MATCHES:
                    return found
    return found


def _similar(path: str, paths: list[str]) -> str:
    close = difflib.get_close_matches(path, paths, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(close)}?" if close else "See list_files for what there is."


def _nearest(text: str, old: str) -> str:
    """The passage that `old` probably meant, word for word, so that the next try succeeds."""
    lines = text.splitlines()
    wanted = old.strip("\n").splitlines() or [old]
    stripped = [line.strip() for line in wanted]
    for start in range(len(lines) - len(wanted) + 1):
        passage = lines[start : start + len(wanted)]
        if [line.strip() for line in passage] == stripped:
            shown = "\n".join(passage)
            return f"Only the white space differs. From line {start + 1} it reads:\n{shown}"
    close = difflib.get_close_matches(
        max(stripped, key=len), [line.strip() for line in lines[:5_000]], n=1, cutoff=0.6
    )
    if close:
        at = next(i for i, line in enumerate(lines) if line.strip() == close[0])
        shown = "\n".join(lines[max(0, at - 3) : at + 4])
        return f"The nearest passage, around line {at + 1}, reads:\n{shown}"
    return "Read the file again and copy the passage exactly."
