"""Tools and the work tree: what a model gets wrong comes back as an error it can use."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from fleet.domain.chat import ToolCall
from fleet.domain.ids import CommitId, ProjectId
from fleet.domain.repository import NewCommit, TreeEntry
from fleet.drivers.memory.repositories import MemoryRepositories
from fleet.errors import InvalidInput
from fleet.generation.tools.files import reading_tools
from fleet.generation.tools.notes import Notes
from fleet.generation.tools.tool import Toolbox
from fleet.generation.tools.writing import writing_tools
from fleet.generation.workspace import Bounds, Workspace

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PROJECT = ProjectId("crm-aaaaa")
FILES: dict[str, str | None] = {"src/App.tsx": "one\n  two\nthree\ntwo\n", "package.json": "{}"}


async def workspace(scope: str = "**", max_write_bytes: int = 1_000) -> Workspace:
    repositories = MemoryRepositories()
    await repositories.create(PROJECT)
    base = await repositories.commit(
        PROJECT, NewCommit(parent=None, changes=FILES, message="base", at=NOON)
    )
    return Workspace(repositories, PROJECT, base, Bounds((scope,), max_write_bytes))


async def ask(tree: Workspace, name: str, arguments: Any) -> str:
    box = Toolbox([*reading_tools(tree), *writing_tools(tree, Notes())])
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    result = await box.call(ToolCall(id="c", name=name, arguments=text))
    assert result.failed is result.content.startswith("Error: ")
    return result.content


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("fly", {}, "There is no tool 'fly'. Use one of: list_files"),
        ("read_file", '{"path": "a', "not a JSON object"),
        ("read_file", "[1]", "not a JSON object"),
        ("read_file", {}, "path: Field required"),
        ("read_file", {"path": "src/App.tsx", "mode": "r"}, "mode: Extra inputs"),
        ("read_file", {"path": "src/App.ts"}, "Did you mean src/App.tsx"),
        ("read_file", {"path": "../x"}, "leaves the project"),
        ("write_file", {"path": "a.ts", "content": "\0"}, "NUL"),
        ("write_file", '{"path": "a.ts", "content": "\\ud800"}', "half a character"),
        ("write_file", {"path": "a.ts", "content": "x" * 1_001}, "Nothing was written. Split"),
        ("write_file", {"path": "src", "content": "x"}, "src is a folder"),
        ("write_file", {"path": "package.json/x", "content": "x"}, "package.json is a file"),
        ("edit_file", {"path": "src/App.tsx", "old": "two", "new": "2"}, "stands 2 times"),
        ("edit_file", {"path": "src/App.tsx", "old": "one\ntwo", "new": "2"}, "1| one\n2|   two"),
        ("edit_file", {"path": "src/App.tsx", "old": "thre!", "new": "2"}, "nearest passage"),
        ("edit_file", {"path": "src/App.tsx", "old": "", "new": "2"}, "write_file"),
        ("delete_file", {"path": "nope.ts"}, "There is no file nope.ts"),
    ],
)
async def test_a_bad_call_is_answered_with_what_to_do(name: str, arguments: Any, told: str) -> None:
    tree = await workspace()
    answer = await ask(tree, name, arguments)
    assert answer.startswith("Error: ") and told in answer
    assert tree.take_written() == {} and await tree.commit(NOON, "x") == tree.base


async def test_files_are_read_whole_in_ranges_and_found() -> None:
    tree = await workspace()
    assert await ask(tree, "read_file", {"path": "src/App.tsx"}) == FILES["src/App.tsx"]
    part = await ask(tree, "read_file", {"path": "src/App.tsx", "first_line": 2, "last_line": 3})
    assert part == "[lines 2 to 3 of 4]\n  two\nthree\n"
    listed = await ask(tree, "list_files", {"pattern": "src/**"})
    assert listed == "src/App.tsx  20 bytes, 4 lines"
    assert await ask(tree, "search", {"text": "THREE"}) == "src/App.tsx:3: three"


async def test_writes_lie_over_the_base_and_become_one_commit_that_can_be_made_again() -> None:
    tree = await workspace()
    await ask(tree, "write_file", {"path": "src/New.tsx", "content": "new"})
    await ask(tree, "edit_file", {"path": "src/App.tsx", "old": "three", "new": "3"})
    await ask(tree, "delete_file", {"path": "package.json"})
    writes = tree.take_written()
    assert writes == {
        "src/New.tsx": "new",
        "src/App.tsx": "one\n  two\n3\ntwo\n",
        "package.json": None,
    }
    assert tree.take_written() == {}
    assert await tree.paths() == ["src/App.tsx", "src/New.tsx"]
    again = await workspace()
    await again.replay(writes)
    assert await tree.commit(NOON, "x") == await again.commit(NOON, "x") != tree.base


async def test_writing_what_stands_there_already_is_no_change() -> None:
    tree = await workspace()
    await ask(tree, "write_file", {"path": "package.json", "content": "{}"})
    assert tree.take_written() == {}
    assert await tree.commit(NOON, "x") == tree.base


async def test_a_symbolic_link_is_never_followed() -> None:
    class Linked(MemoryRepositories):
        async def tree(self, project: ProjectId, commit: CommitId) -> list[TreeEntry]:
            return [TreeEntry(path="out", size=4, symlink=True)]

    repositories = Linked()
    await repositories.create(PROJECT)
    base = await repositories.commit(
        PROJECT, NewCommit(parent=None, changes={"out": "/etc"}, message="", at=NOON)
    )
    tree = Workspace(repositories, PROJECT, base, Bounds(("**",), 100))
    with pytest.raises(InvalidInput, match="symbolic link"):
        await tree.read("out")
    with pytest.raises(InvalidInput, match="symbolic link"):
        await tree.write("out/passwd", "x")
    with pytest.raises(InvalidInput, match="symbolic link"):
        await tree.delete("out")


async def test_every_schema_is_an_object_with_described_fields() -> None:
    tree = await workspace()
    for schema in Toolbox([*reading_tools(tree), *writing_tools(tree, Notes())]).schemas:
        assert schema.parameters["type"] == "object"
        assert schema.parameters["additionalProperties"] is False
