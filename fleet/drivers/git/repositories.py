"""Repositories as bare git repositories, one per project, through git's plumbing.

Commits are made by `fast-import` with given dates, so the same commit made twice is one commit.
A checkout's index lies outside its tree, so materialising again touches only what changed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from git import Git
from git.exc import GitCommandError

from fleet.domain.ids import CommitId, ProjectId, is_project_id
from fleet.domain.repository import NewCommit, TreeEntry, plain_path, refuse_clashes
from fleet.errors import Conflict, InfrastructureError, InvalidInput, NotFound

AUTHOR = "appfleet <appfleet@localhost>"
DEADLINE_S = 60
_ZERO = "0" * 40
_REGULAR = {"100644", "100755"}
_SYMLINK = "120000"


@dataclass(frozen=True)
class _Entry:
    mode: str
    oid: str
    size: int
    path: str


class GitRepositories:
    def __init__(self, root: Path) -> None:
        self._root = root

    async def create(self, project: ProjectId) -> None:
        await asyncio.to_thread(self._create, project)

    def _create(self, project: ProjectId) -> None:
        path = self._path(project)
        if path.exists():
            return
        self._root.mkdir(parents=True, exist_ok=True)
        # Made beside and renamed: a repository is there whole or not at all.
        making = Path(tempfile.mkdtemp(dir=self._root, prefix=".making-"))
        git = Git(str(making))
        git.init("--bare", "--quiet", "--initial-branch=main", str(making))
        git.config("core.logAllRefUpdates", "true")
        git.config("fastimport.unpackLimit", "100000")
        try:
            making.rename(path)
        except OSError:
            shutil.rmtree(making)
            if not path.exists():
                raise

    async def head(self, project: ProjectId, branch: str = "main") -> CommitId | None:
        return await asyncio.to_thread(self._head, project, branch)

    def _head(self, project: ProjectId, branch: str) -> CommitId | None:
        try:
            found = self._git(project, "rev-parse", "--verify", "--quiet", _ref(branch))
        except GitCommandError:
            return None
        return CommitId(found.decode().strip())

    async def commit(self, project: ProjectId, new: NewCommit) -> CommitId:
        return await asyncio.to_thread(self._commit, project, new)

    def _commit(self, project: ProjectId, new: NewCommit) -> CommitId:
        before = self._paths(project, new.parent) if new.parent is not None else set()
        gone = {path for path, text in new.changes.items() if text is None}
        refuse_clashes(before - gone | new.changes.keys() - gone)
        # A ref of its own: concurrent imports into one repository must not meet.
        ref = f"refs/appfleet/making/{uuid4().hex}"
        stream = _import_stream(new, ref)
        made = CommitId(
            self._git(project, "fast-import", "--quiet", "--force", "--cat-blob-fd=1", stdin=stream)
            .decode()
            .strip()
        )
        self._git(project, "update-ref", "-d", ref)
        if new.parent is not None and self._tree_id(project, made) == self._tree_id(
            project, new.parent
        ):
            return new.parent
        return made

    def _paths(self, project: ProjectId, commit: CommitId) -> set[str]:
        return {e.path for e in self._entries(project, commit, "")}

    async def tree_id(self, project: ProjectId, commit: CommitId) -> str:
        return await asyncio.to_thread(self._tree_id, project, commit)

    def _tree_id(self, project: ProjectId, commit: CommitId) -> str:
        try:
            return self._git(project, "rev-parse", f"{commit}^{{tree}}").decode().strip()
        except GitCommandError as error:
            raise NotFound(f"{project} has no commit {commit[:12]}.") from error

    async def advance(
        self, project: ProjectId, branch: str, commit: CommitId, expected: CommitId | None
    ) -> None:
        await asyncio.to_thread(self._advance, project, branch, commit, expected)

    def _advance(
        self, project: ProjectId, branch: str, commit: CommitId, expected: CommitId | None
    ) -> None:
        if self._head(project, branch) == commit:
            return
        try:
            self._git(project, "update-ref", _ref(branch), commit, expected or _ZERO)
        except GitCommandError as error:
            self._entries(project, commit, "")  # NotFound, when it is no commit
            raise Conflict(
                f"The branch {branch} of {project} has moved meanwhile.",
                action="Look at the newest build, then send the message again.",
            ) from error

    async def tree(self, project: ProjectId, commit: CommitId) -> list[TreeEntry]:
        entries = await asyncio.to_thread(self._entries, project, commit, "")
        return [TreeEntry(path=e.path, size=e.size, symlink=e.mode == _SYMLINK) for e in entries]

    def _entries(self, project: ProjectId, commit: CommitId, prefix: str) -> list[_Entry]:
        pathspec = [prefix] if prefix else []
        try:
            listing = self._git(
                project, "ls-tree", "-r", "-z", "-l", "--full-tree", commit, "--", *pathspec
            )
        except GitCommandError as error:
            raise NotFound(f"{project} has no commit {commit[:12]}.") from error
        entries = []
        for line in listing.decode(errors="surrogateescape").split("\0"):
            if line:
                facts, _, path = line.partition("\t")
                mode, _kind, oid, size = facts.split()
                entries.append(_Entry(mode, oid, int(size) if size.isdigit() else 0, path))
        return entries

    async def read(self, project: ProjectId, commit: CommitId, path: str) -> str:
        return await asyncio.to_thread(self._read, project, commit, path)

    def _read(self, project: ProjectId, commit: CommitId, path: str) -> str:
        found = [e for e in self._entries(project, commit, plain_path(path)) if e.path == path]
        if not found or found[0].mode not in _REGULAR:
            raise NotFound(f"There is no file {path} in commit {commit[:12]}.")
        return self._git(project, "cat-file", "blob", found[0].oid).decode(errors="replace")

    async def read_all(self, project: ProjectId, commit: CommitId, prefix: str) -> dict[str, str]:
        return await asyncio.to_thread(self._read_all, project, commit, prefix)

    def _read_all(self, project: ProjectId, commit: CommitId, prefix: str) -> dict[str, str]:
        entries = [e for e in self._entries(project, commit, prefix) if e.mode in _REGULAR]
        if not entries:
            return {}
        wanted = "".join(f"{e.oid}\n" for e in entries).encode()
        output = self._git(project, "cat-file", "--batch", stdin=wanted)
        texts: dict[str, str] = {}
        at = 0
        for entry in entries:
            start = output.index(b"\n", at) + 1
            body = output[start : start + entry.size]
            at = start + entry.size + 1
            if b"\0" not in body:
                texts[entry.path] = body.decode(errors="replace")
        return texts

    async def changed_paths(self, project: ProjectId, old: CommitId, new: CommitId) -> list[str]:
        return await asyncio.to_thread(self._changed_paths, project, old, new)

    def _changed_paths(self, project: ProjectId, old: CommitId, new: CommitId) -> list[str]:
        options = ["-r", "-z", "--name-only", "--no-renames"]
        try:
            listing = self._git(project, "diff-tree", *options, old, new)
        except GitCommandError:
            for commit in (old, new):
                self._entries(project, commit, "")  # NotFound, when it is no commit
            raise
        return [p for p in listing.decode(errors="surrogateescape").split("\0") if p]

    async def materialise(self, project: ProjectId, commit: CommitId, directory: Path) -> None:
        await asyncio.to_thread(self._materialise, project, commit, directory)

    def _materialise(self, project: ProjectId, commit: CommitId, directory: Path) -> None:
        links = [e.path for e in self._entries(project, commit, "") if e.mode not in _REGULAR]
        if links:
            raise InvalidInput(
                f"The project holds a symbolic link or submodule ({links[0]}).",
                action="Replace it by a plain file.",
            )
        index = _index_of(directory)
        if not directory.exists():
            index.unlink(missing_ok=True)
            directory.mkdir(parents=True)
        directory.chmod(0o755)
        index.with_name(f"{index.name}.lock").unlink(missing_ok=True)  # of a killed predecessor
        fresh = not index.exists()
        env = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(directory)}
        if not fresh:
            self._git(project, "update-index", "-q", "--really-refresh", env=env, ignore_exit=True)
        self._git(project, "read-tree", "--reset", "-u", commit, env=env)
        self._git(project, "clean", "-ffdxq", "-e", "/node_modules", env=env)

    async def delete(self, project: ProjectId) -> None:
        path = self._path(project)
        if path.exists():
            await asyncio.to_thread(shutil.rmtree, path)

    def _path(self, project: ProjectId) -> Path:
        if not is_project_id(project):
            raise InvalidInput(f"{project!r} is not a project id.")
        return self._root / f"{project}.git"

    def _git(
        self,
        project: ProjectId,
        *arguments: str,
        stdin: bytes | None = None,
        env: dict[str, str] | None = None,
        ignore_exit: bool = False,
    ) -> bytes:
        path = self._path(project)
        if not path.exists():
            raise NotFound(f"{project} has no repository yet.")
        git = Git(str(path))
        command: Sequence[str] = ["git", f"--git-dir={path}", *arguments]
        environment = {**_ISOLATED, **(env or {})}
        with tempfile.TemporaryFile() as file:
            file.write(stdin or b"")
            file.seek(0)
            try:
                output = git.execute(
                    command,
                    istream=file,
                    env=environment,
                    stdout_as_string=False,
                    with_exceptions=not ignore_exit,
                    strip_newline_in_stdout=False,
                    kill_after_timeout=None,
                    umask=0o022,  # sandboxes read checkouts as another user
                )
            except GitCommandError as error:
                if "No space left" in str(error.stderr):
                    raise InfrastructureError(
                        "The disk is full: git could not write.",
                        action="Free some space under the data directory.",
                    ) from error
                raise
        assert isinstance(output, bytes)
        return output


# A user's git configuration must not change what the platform does.
_ISOLATED = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


def _index_of(directory: Path) -> Path:
    directory = directory.absolute()
    return directory.with_name(f"{directory.name}.index")


def _ref(branch: str) -> str:
    return f"refs/heads/{branch}"


def _import_stream(new: NewCommit, ref: str) -> bytes:
    """`git fast-import` input: one commit, whole files inline."""
    seconds = int(new.at.timestamp())
    parts = [
        f"commit {ref}\nmark :1\nauthor {AUTHOR} {seconds} +0000\n".encode(),
        f"committer {AUTHOR} {seconds} +0000\n".encode(),
        _data(new.message),
    ]
    if new.parent is not None:
        parts.append(f"from {new.parent}\n".encode())
    for path, text in sorted(new.changes.items()):
        name = _quoted(plain_path(path))
        if text is None:
            parts.append(f"D {name}\n".encode())
        else:
            parts.append(f"M 100644 inline {name}\n".encode() + _data(text))
    parts.append(b"\nget-mark :1\ndone\n")
    return b"".join(parts)


def _data(text: str) -> bytes:
    body = text.encode(errors="replace")
    return b"data %d\n%s\n" % (len(body), body)


def _quoted(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
