"""Tools over files: bounded answers, a scope that is left only for a reason, sealed migrations."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from fleet.domain.progress import ScopeExit
from fleet.generation.tools import search as searching
from fleet.generation.tools.files import MAX_LISTED, MAX_READ_CHARS
from fleet.generation.workspace import OVERSIZED_MARK
from tests.unit.tool_bench import FILES, tool_bench

REASON = "The router must know the new page"


async def test_every_tool_has_a_schema_of_described_arguments_and_no_surprises() -> None:
    schemas = {s.name: s for s in (await tool_bench()).tools.schemas}
    assert set(schemas) == {
        *("list_files", "read_file", "search"),
        *("write_file", "edit_file", "delete_file", "move_file"),
        *("run_sql", "show_schema", "take_checkpoint", "list_checkpoints"),
        *("typecheck", "run_tests", "call_procedure", "open_page", "read_logs"),
        *("add_package", "remove_package", "note_decision"),
    }
    for schema in schemas.values():
        assert schema.parameters["additionalProperties"] is False and schema.description
        assert len(json.dumps(schema.parameters)) < 1_200


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("write_file", {"path": "server/router.ts", "content": "x"}),
        ("edit_file", {"path": "server/router.ts", "old": "{}", "new": "{ a }"}),
        ("delete_file", {"path": "server/router.ts"}),
        ("move_file", {"path": "src/App.tsx", "to": "server/App.tsx"}),
    ],
)
async def test_the_scope_is_left_only_for_a_reason_that_is_noted(
    name: str, arguments: dict[str, Any]
) -> None:
    bench = await tool_bench()
    for reason in ("", "because", "         because"):
        told = await bench.ask(name, **arguments, reason_outside_scope=reason)
        assert "outside this task's file scope" in told and "reason_outside_scope" in told
    assert bench.workspace.take_written() == {} and bench.notes.take().scope_exits == ()
    told = await bench.ask(name, **arguments, reason_outside_scope=REASON)
    assert "the reason is recorded" in told
    (left,) = bench.notes.take().scope_exits
    outside = "server/App.tsx" if name == "move_file" else "server/router.ts"
    assert left == ScopeExit(path=outside, reason=REASON)
    assert outside in bench.workspace.take_written()


async def test_a_reason_given_inside_the_scope_is_not_noted() -> None:
    bench = await tool_bench()
    await bench.ask("write_file", path="src/a.ts", content="x", reason_outside_scope=REASON)
    assert bench.notes.take().scope_exits == ()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (".appfleet/spec.json", "The spec is changed through the plan"),
        ("node_modules/zod/index.js", "use add_package"),
        ("package-lock.json", "use add_package"),
        (".git/config", "git's own folder"),
        ("db/migrations/0001_a.sql", "is applied already and never changes again"),
    ],
)
async def test_no_reason_opens_what_is_never_written(path: str, told: str) -> None:
    bench = await tool_bench()
    for name, arguments in (("write_file", {"content": "x"}), ("delete_file", {})):
        assert told in await bench.ask(name, path=path, **arguments, reason_outside_scope=REASON)
    assert bench.workspace.take_written() == {}


async def test_a_migration_of_this_task_may_still_change() -> None:
    bench = await tool_bench()
    path = "db/migrations/0002_b.sql"
    for content in ("create table b ();", "create table b (id int);"):
        assert "Wrote" in await bench.ask("write_file", path=path, content=content)
    bench.workspace.committed(bench.workspace.base)
    assert "Wrote" in await bench.ask("write_file", path=path, content="select 1;")


async def test_an_oversized_file_is_refused_with_its_mark_before_anything_is_written() -> None:
    bench = await tool_bench()
    told = await bench.ask("write_file", path="src/big.ts", content="x" * 1_001)
    assert OVERSIZED_MARK in told and "Nothing was written. Split it" in told
    assert bench.workspace.take_written() == {}


async def test_all_places_are_replaced_when_asked() -> None:
    bench = await tool_bench()
    told = await bench.ask("edit_file", path="src/App.tsx", old="two", new="2")
    assert "stands 2 times" in told and "[3, 5]" in told and "replace_all" in told
    told = await bench.ask("edit_file", path="src/App.tsx", old="two", new="2", replace_all=True)
    assert told == "Edited src/App.tsx at 2 places: lines 3, 5."


async def test_a_missed_edit_shows_the_nearest_lines_with_their_numbers() -> None:
    bench = await tool_bench()
    told = await bench.ask("edit_file", path="src/App.tsx", old="one\n    two\nfour", new="x")
    assert "2 of 3 lines are the same" in told and "3|   two" in told and "4| three" in told
    told = await bench.ask("edit_file", path="src/App.tsx", old="one\n two\nthree", new="x")
    assert "Only the white space differs" in told and "2| one\n3|   two\n4| three" in told
    told = await bench.ask("edit_file", path="src/App.tsx", old="quite different", new="x")
    assert "copy the passage exactly" in told


async def test_a_file_moves_whole_or_not_at_all() -> None:
    bench = await tool_bench(["**"])
    assert "exists already" in await bench.ask(
        "move_file", path="src/App.tsx", to="server/router.ts"
    )
    assert "There is no file src/Ap.tsx" in await bench.ask(
        "move_file", path="src/Ap.tsx", to="src/x.tsx"
    )
    assert bench.workspace.take_written() == {}
    await bench.ask("move_file", path="src/App.tsx", to="src/Main.tsx")
    assert bench.workspace.take_written() == {
        "src/Main.tsx": FILES["src/App.tsx"],
        "src/App.tsx": None,
    }


async def test_reading_is_bounded_and_says_where_to_go_on() -> None:
    line = "x" * 99 + "\n"
    bench = await tool_bench(files={"long.txt": line * 2_000})
    told = await bench.ask("read_file", path="long.txt")
    assert told.startswith("[lines 1 to 500 of 2000; go on with first_line 501]\n")
    assert len(told) < MAX_READ_CHARS + 100
    told = await bench.ask("read_file", path="long.txt", first_line=1_999, line_numbers=True)
    assert told.endswith(f"1999| {line}2000| {line.strip()}")
    assert "has only 2000 lines" in await bench.ask("read_file", path="long.txt", first_line=3_000)


async def test_many_files_are_listed_by_folder() -> None:
    many: dict[str, str | None] = {f"src/pages/p{n}.tsx": "x\n" for n in range(MAX_LISTED + 1)}
    bench = await tool_bench(files=many | {"a.txt": "hi"})
    told = await bench.ask("list_files")
    assert f"src/pages/  {MAX_LISTED + 1} files, {2 * MAX_LISTED + 2} bytes" in told
    assert "narrow the pattern" in told
    told = await bench.ask("list_files", pattern="src/pages/p1.tsx")
    assert told == "src/pages/p1.tsx  2 bytes, 1 lines"


async def test_search_shows_lines_around_and_takes_a_glob() -> None:
    bench = await tool_bench()
    assert await bench.ask("search", text="TWO", files="server/**") == "Nothing matches."
    told = await bench.ask("search", text="THREE", context=1)
    assert told == "src/App.tsx-3-   two\nsrc/App.tsx:4: three\nsrc/App.tsx-5- two"
    told = await bench.ask("search", text="t(wo|hree)$", regex=True, files="src/*")
    assert [line.split(":")[1] for line in told.splitlines()] == ["3", "4", "5"]
    assert "not valid" in await bench.ask("search", text="(", regex=True)


async def test_an_endless_regular_expression_is_ended_and_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(searching, "REGEX_DEADLINE_S", 0.7)
    bench = await tool_bench(files={"a.txt": "a" * 60 + "!\n"})
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.02)
            beats += 1

    beating, began = asyncio.create_task(beat()), time.monotonic()
    told = await bench.ask("search", text="(a+)+$", regex=True)
    beating.cancel()
    assert "ran for more than" in told and time.monotonic() - began < 3
    assert beats > 5
