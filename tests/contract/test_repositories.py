"""Repositories: one body, every driver."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from fleet.domain.ids import CommitId, ProjectId
from fleet.domain.repository import NewCommit
from fleet.drivers.git.repositories import GitRepositories
from fleet.drivers.memory.repositories import MemoryRepositories
from fleet.errors import Conflict, InvalidInput, NotFound
from fleet.ports import Repositories

PROJECT = ProjectId("crm-abcde")
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(params=["git", "memory"])
async def repositories(request: pytest.FixtureRequest, tmp_path: Path) -> Repositories:
    made: Repositories = (
        GitRepositories(tmp_path / "repositories")
        if request.param == "git"
        else MemoryRepositories()
    )
    await made.create(PROJECT)
    await made.create(PROJECT)
    return made


async def first(repositories: Repositories, **changes: str | None) -> CommitId:
    files: dict[str, str | None] = {
        "README.md": "hello\n",
        "src/a.ts": "export const a = 1;\n",
        "empty.txt": "",
        **changes,
    }
    new = NewCommit(parent=None, changes=files, message="first", at=AT)
    return await repositories.commit(PROJECT, new)


def change(parent: CommitId, **changes: str | None) -> NewCommit:
    files = {name.replace("__", "/"): text for name, text in changes.items()}
    return NewCommit(parent=parent, changes=files, message="change", at=AT)


async def test_a_commit_made_twice_is_one_commit(repositories: Repositories) -> None:
    assert await first(repositories) == await first(repositories)


async def test_a_commit_without_a_difference_is_its_parent(repositories: Repositories) -> None:
    commit = await first(repositories)
    assert await repositories.commit(PROJECT, change(commit, nothing=None)) == commit


async def test_what_is_committed_reads_back(repositories: Repositories) -> None:
    text = 'ünï "quoted" \\ 🍲\r\nno newline'
    commit = await first(repositories, **{"dir/naïve file.txt": text})
    assert await repositories.read(PROJECT, commit, "dir/naïve file.txt") == text
    assert await repositories.read(PROJECT, commit, "empty.txt") == ""
    everything = await repositories.read_all(PROJECT, commit, "")
    assert everything["dir/naïve file.txt"] == text
    assert set(await repositories.read_all(PROJECT, commit, "src/")) == {"src/a.ts"}
    assert {e.path for e in await repositories.tree(PROJECT, commit)} == set(everything)


async def test_a_missing_file_is_not_found(repositories: Repositories) -> None:
    commit = await first(repositories)
    with pytest.raises(NotFound):
        await repositories.read(PROJECT, commit, "src/b.ts")
    with pytest.raises(NotFound):
        await repositories.read(PROJECT, commit, "src")
    with pytest.raises(NotFound):
        await repositories.tree(PROJECT, CommitId("0" * 40))


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "a/../../x", ".git/config", "a//b", "a\nb", "", "./a"]
)
async def test_a_path_that_leaves_the_project_is_refused(
    repositories: Repositories, path: str
) -> None:
    with pytest.raises(InvalidInput):
        await first(repositories, **{path: "x"})


@pytest.mark.parametrize("path", ["src", "README.md/inside"])
async def test_a_file_never_takes_a_folders_place(repositories: Repositories, path: str) -> None:
    commit = await first(repositories)
    with pytest.raises(InvalidInput, match="cannot be a file"):
        await repositories.commit(
            PROJECT, NewCommit(parent=commit, changes={path: "x"}, message="m", at=AT)
        )


async def test_an_unknown_commit_is_not_found_by_any_call(repositories: Repositories) -> None:
    known, unknown = await first(repositories), CommitId("a" * 40)
    with pytest.raises(NotFound):
        await repositories.commit(PROJECT, change(unknown, a="b"))
    with pytest.raises(NotFound):
        await repositories.changed_paths(PROJECT, unknown, known)
    with pytest.raises(NotFound):
        await repositories.advance(PROJECT, "main", unknown, None)


async def test_a_branch_moves_only_from_where_it_was_expected(
    repositories: Repositories,
) -> None:
    one = await first(repositories)
    two = await repositories.commit(PROJECT, change(one, src__a_ts=None, new_md="2"))
    assert await repositories.head(PROJECT) is None
    await repositories.advance(PROJECT, "main", one, None)
    with pytest.raises(Conflict):
        await repositories.advance(PROJECT, "main", two, None)
    await repositories.advance(PROJECT, "main", two, one)
    await repositories.advance(PROJECT, "main", two, one)
    assert await repositories.head(PROJECT) == two
    await repositories.advance(PROJECT, "build/bld_x", one, None)
    assert await repositories.head(PROJECT, "build/bld_x") == one


async def test_changed_paths_name_edits_additions_and_deletions(
    repositories: Repositories,
) -> None:
    one = await first(repositories)
    changes: dict[str, str | None] = {"README.md": "new", "src/a.ts": None, "b.md": "b"}
    two = await repositories.commit(
        PROJECT, NewCommit(parent=one, changes=changes, message="m", at=AT)
    )
    assert await repositories.changed_paths(PROJECT, one, two) == ["README.md", "b.md", "src/a.ts"]


async def test_a_directory_becomes_exactly_the_tree(
    repositories: Repositories, tmp_path: Path
) -> None:
    one = await first(repositories)
    changes: dict[str, str | None] = {"README.md": "new", "src/a.ts": None, "deep/b.md": "b"}
    two = await repositories.commit(
        PROJECT, NewCommit(parent=one, changes=changes, message="m", at=AT)
    )
    directory = tmp_path / "checkout"
    await repositories.materialise(PROJECT, one, directory)
    (directory / "node_modules").mkdir()
    (directory / "node_modules" / "kept").write_text("kept")
    (directory / "stray.txt").write_text("stray")
    (directory / "README.md").write_text("changed by hand")
    await repositories.materialise(PROJECT, two, directory)
    found = {str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file()}
    assert found == {"README.md", "deep/b.md", "empty.txt", "node_modules/kept"}
    assert (directory / "README.md").read_text() == "new"
    await repositories.materialise(PROJECT, one, directory)
    assert (directory / "src/a.ts").read_text() == "export const a = 1;\n"


async def test_a_deleted_repository_is_gone(repositories: Repositories) -> None:
    await first(repositories)
    await repositories.delete(PROJECT)
    await repositories.delete(PROJECT)
    with pytest.raises(NotFound):
        await repositories.head(PROJECT)


async def test_commits_with_the_same_files_have_the_same_tree(repositories: Repositories) -> None:
    one = await first(repositories)
    edit = NewCommit(parent=one, changes={"src/a.ts": "changed\n"}, message="edit", at=AT)
    two = await repositories.commit(PROJECT, edit)
    back = NewCommit(
        parent=two, changes={"src/a.ts": "export const a = 1;\n"}, message="back", at=AT
    )
    three = await repositories.commit(PROJECT, back)
    trees = [await repositories.tree_id(PROJECT, commit) for commit in (one, two, three)]
    assert trees[0] == trees[2] != trees[1]
    with pytest.raises(NotFound):
        await repositories.tree_id(PROJECT, CommitId("0" * 40))
