"""Repositories in memory: whole trees by commit id. For tests, and for trying things out."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from fleet.domain.ids import CommitId, ProjectId
from fleet.domain.repository import NewCommit, TreeEntry, plain_path, refuse_clashes
from fleet.errors import Conflict, NotFound

Tree = Mapping[str, str]


class MemoryRepositories:
    def __init__(self) -> None:
        self._trees: dict[ProjectId, dict[CommitId, Tree]] = {}
        self._branches: dict[ProjectId, dict[str, CommitId]] = {}

    async def create(self, project: ProjectId) -> None:
        self._trees.setdefault(project, {})
        self._branches.setdefault(project, {})

    async def head(self, project: ProjectId, branch: str = "main") -> CommitId | None:
        self._all(project)
        return self._branches[project].get(branch)

    async def commit(self, project: ProjectId, new: NewCommit) -> CommitId:
        before = self._tree(project, new.parent) if new.parent is not None else {}
        tree = dict(before)
        for path, text in new.changes.items():
            if text is None:
                tree.pop(plain_path(path), None)
            else:
                tree[plain_path(path)] = text
        refuse_clashes(tree)
        if new.parent is not None and tree == before:
            return new.parent
        facts = [new.parent, sorted(tree.items()), new.message, int(new.at.timestamp())]
        commit = CommitId(hashlib.sha1(json.dumps(facts).encode()).hexdigest())
        self._all(project)[commit] = tree
        return commit

    async def advance(
        self, project: ProjectId, branch: str, commit: CommitId, expected: CommitId | None
    ) -> None:
        self._tree(project, commit)
        now = self._branches[project].get(branch)
        if now not in (expected, commit):
            raise Conflict(f"The branch {branch} of {project} has moved meanwhile.")
        self._branches[project][branch] = commit

    async def tree(self, project: ProjectId, commit: CommitId) -> list[TreeEntry]:
        tree = self._tree(project, commit)
        return [TreeEntry(path=p, size=len(t.encode())) for p, t in sorted(tree.items())]

    async def tree_id(self, project: ProjectId, commit: CommitId) -> str:
        tree = sorted(self._tree(project, commit).items())
        return hashlib.sha1(json.dumps(tree).encode()).hexdigest()

    async def read(self, project: ProjectId, commit: CommitId, path: str) -> str:
        try:
            return self._tree(project, commit)[plain_path(path)]
        except KeyError as error:
            raise NotFound(f"There is no file {path} in commit {commit[:12]}.") from error

    async def read_all(self, project: ProjectId, commit: CommitId, prefix: str) -> dict[str, str]:
        return {
            p: t for p, t in sorted(self._tree(project, commit).items()) if p.startswith(prefix)
        }

    async def changed_paths(self, project: ProjectId, old: CommitId, new: CommitId) -> list[str]:
        before, after = self._tree(project, old), self._tree(project, new)
        return sorted(p for p in before.keys() | after.keys() if before.get(p) != after.get(p))

    async def materialise(self, project: ProjectId, commit: CommitId, directory: Path) -> None:
        tree = self._tree(project, commit)
        await asyncio.to_thread(_write_tree, tree, directory)

    async def delete(self, project: ProjectId) -> None:
        self._trees.pop(project, None)
        self._branches.pop(project, None)

    def _all(self, project: ProjectId) -> dict[CommitId, Tree]:
        try:
            return self._trees[project]
        except KeyError as error:
            raise NotFound(f"{project} has no repository yet.") from error

    def _tree(self, project: ProjectId, commit: CommitId) -> Tree:
        try:
            return self._all(project)[commit]
        except KeyError as error:
            raise NotFound(f"{project} has no commit {commit[:12]}.") from error


def _write_tree(tree: Tree, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for entry in directory.iterdir():
        if entry.name == "node_modules":
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    for path, text in tree.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
