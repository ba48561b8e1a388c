"""Tools over data, draft and packages: what is noted, and what is refused with a way on."""

from __future__ import annotations

import json

import pytest

from fleet.domain.ids import dev_endpoint
from fleet.domain.page import ConsoleEntry, FailedRequest
from fleet.domain.progress import CheckRun, SqlRun, StepNotes
from fleet.domain.resource import ResourceKind
from fleet.domain.timeline import SqlResult
from fleet.domain.workload import CommandResult, PackageManifest
from fleet.errors import InfrastructureError, MigrationFailed, WorkloadCrashed
from fleet.generation.tools.data import MAX_NOTED_CHARS
from fleet.generation.tools.live import MAX_ENTRIES
from fleet.generation.tools.outcome import MAX_DIAGNOSTICS, typecheck_run
from fleet.generation.tools.packages import differences
from fleet.generation.tools.schema import MAX_LINES
from tests.unit.tool_bench import PACKAGE, PROJECT, tool_bench

DEV = dev_endpoint(PROJECT)
DELETE_ALL = "WITH gone AS (DELETE FROM a RETURNING id) SELECT count(*) FROM gone"
RED = """ RUN  v5.1.1 /app

 ❯ tests/a.test.ts (1 test | 1 failed) {ms}ms
 FAIL  tests/a.test.ts > works
AssertionError: expected 1 to be 2
 Test Files  1 failed (1)
      Tests  1 failed (1)
"""
UNMATCHED = " ↓ tests/a.test.ts (1 test | 1 skipped)\n\n      Tests  1 skipped (1)\n"


# Data


async def test_dev_is_asked_read_only_and_the_draft_may_be_written() -> None:
    bench = await tool_bench()
    assert await bench.ask("run_sql", sql="SELECT 1") == "1 row: n\n[1]"
    assert bench.timelines.queries == [(DEV, "SELECT 1", True)]
    told = await bench.ask("run_sql", sql="UPDATE a SET id = 1 WHERE id = 2")
    assert "Dev is read-only" in told and "write to true" in told
    await bench.ask("run_sql", sql=DELETE_ALL, database="draft")
    endpoint, _, read_only = bench.timelines.queries[-1]
    assert endpoint.endswith(".draft") and not read_only
    assert bench.checkpoints.taken == []
    assert [r.database for r in bench.notes.take().sql] == ["dev", "draft"]


async def test_a_risky_statement_takes_a_checkpoint_first_and_says_so() -> None:
    bench = await tool_bench()
    update = "UPDATE a SET id = 1 WHERE id = 2"
    assert "Checkpoint" not in await bench.ask("run_sql", sql=update, write=True)
    told = await bench.ask("run_sql", sql=DELETE_ALL, write=True)
    assert told.startswith("Checkpoint cp_1 was taken first (DELETE without a WHERE")
    (taken,) = bench.checkpoints.taken
    assert taken.commit == bench.workspace.base and DELETE_ALL in taken.reason
    assert bench.notes.take() == StepNotes(
        sql=(
            SqlRun(statement=update, database="dev", rows=1),
            SqlRun(statement=DELETE_ALL, database="dev", rows=1),
        ),
        checkpoints=("cp_1",),
    )


async def test_no_risky_statement_runs_without_its_checkpoint() -> None:
    bench = await tool_bench()

    async def full(*_: object, **__: object) -> None:
        raise InfrastructureError("The disk is full.")

    bench.checkpoints.take = full  # type: ignore[assignment, method-assign]
    assert "The disk is full" in await bench.ask("run_sql", sql="DROP TABLE a", write=True)
    assert bench.timelines.queries == []


async def test_a_refused_statement_is_noted_with_its_error_and_names_its_checkpoint() -> None:
    bench = await tool_bench()
    bench.timelines.fails = 'relation "b" does not exist'
    told = await bench.ask("run_sql", sql="TRUNCATE b", write=True)
    assert "Checkpoint cp_1 was taken first" in told and "does not exist" in told
    assert "syntax error" in await bench.ask("run_sql", sql="TRUNCAT b", write=True)
    assert "one statement at a time" in await bench.ask("run_sql", sql="SELECT 1; SELECT 2")
    notes = bench.notes.take()
    assert len(notes.sql) == 3 and all(run.error for run in notes.sql)
    assert len(bench.checkpoints.taken) == 1


async def test_a_long_statement_is_noted_by_its_beginning() -> None:
    bench = await tool_bench()
    await bench.ask("run_sql", sql=f"SELECT '{'x' * 5_000}'")
    (run,) = bench.notes.take().sql
    assert len(run.statement) < MAX_NOTED_CHARS + 50 and "more characters" in run.statement


async def test_checkpoints_are_taken_on_request_and_listed() -> None:
    bench = await tool_bench()
    assert await bench.ask("list_checkpoints") == "There is no checkpoint yet."
    assert "Checkpoint cp_1" in await bench.ask("take_checkpoint", reason="Before the import")
    assert "Before the import" in await bench.ask("list_checkpoints")
    assert bench.notes.take().checkpoints == ("cp_1",)


async def test_a_decision_is_noted_word_for_word() -> None:
    bench = await tool_bench()
    await bench.ask("note_decision", text="Money is numeric(12,2), never a float.")
    assert bench.notes.take().decisions == ("Money is numeric(12,2), never a float.",)
    assert bench.notes.take() == StepNotes()


# The schema


def column(name: str, **said: object) -> dict[str, object]:
    usual = {"type": "text", "not_null": False, "identity": "", "generated": False}
    none = {"expression": None, "key_part": 0, "key_parts": 0, "references": None}
    return {"name": name, **usual, **none, **said}


def schema(*tables: tuple[str, int | None, list[dict[str, object]]], count: int = 0) -> SqlResult:
    rows = tuple((n, r, count or len(tables), json.dumps(columns)) for n, r, columns in tables)
    return SqlResult(columns=("name", "rows", "tables", "columns"), rows=rows, row_count=len(rows))


async def test_the_schema_is_a_line_per_column_read_only_on_both_databases() -> None:
    bench = await tool_bench()
    key = {"type": "bigint", "not_null": True, "key_parts": 1, "key_part": 1}
    of = {"type": "bigint", "references": "customers.id"}
    bench.timelines.result = schema(
        ("customers", 12, [column("id", identity="a", **key), column("note", expression="'a\nb'")]),
        ("deals", None, [column("customer_id", key_part=2, key_parts=2, not_null=True, **of)]),
        ("empty", 0, [column("n", expression="(a + 1)", generated=True)]),
    )
    assert await bench.ask("show_schema") == (
        "customers (about 12 rows)\n"
        "  id bigint not null, generated always as identity, primary key\n"
        "  note text, default 'a b'\n"
        "deals (rows not counted yet)\n"
        "  customer_id bigint not null, primary key part 2 of 2, references customers.id\n"
        "empty (no rows)\n"
        "  n text, generated as (a + 1)"
    )
    await bench.ask("show_schema", database="draft")
    (dev, _, dev_reads), (draft, _, draft_reads) = bench.timelines.queries
    assert dev == DEV and draft.endswith(".draft") and dev_reads and draft_reads
    assert bench.notes.take() == StepNotes()


async def test_a_long_schema_is_cut_by_whole_tables_and_names_what_was_left_out() -> None:
    bench = await tool_bench()
    wide = [column(f"c{n}") for n in range(MAX_LINES + 5)]
    bench.timelines.result = schema(
        ("a", 0, wide[:150]), ("b", 0, wide[:60]), ("c", 0, wide[:20]), count=9
    )
    told = (await bench.ask("show_schema")).splitlines()
    assert told[151] == "c (no rows)" and len(told) == 151 + 21 + 1
    assert told[-1].startswith("[left out: b, 6 more tables after c; see one with run_sql")
    bench.timelines.result = schema(("a", 0, wide))
    told = (await bench.ask("show_schema")).splitlines()
    assert len(told) == MAX_LINES + 1 and "left out: 6 columns of a;" in told[-1]


async def test_a_schema_that_cannot_be_read_says_what_to_do() -> None:
    bench = await tool_bench()
    bench.timelines.result = schema()
    assert "no table on dev yet. Tables come from db/migrations" in await bench.ask("show_schema")
    bench.timelines.fails = "canceling statement due to lock timeout"
    assert "lock timeout Ask once more" in await bench.ask("show_schema")

    async def refuse(*_: object) -> None:
        raise MigrationFailed("db/migrations/0002_b.sql, line 1: syntax error", path="0002_b.sql")

    bench.timelines.migrate = refuse  # type: ignore[assignment, method-assign]
    told = await bench.ask("show_schema", database="draft")
    assert "0002_b.sql, line 1: syntax error Mend that file" in told


# The draft


async def test_many_diagnostics_are_cut_and_their_fingerprint_forgets_lines_and_order() -> None:
    def run(*lines: str) -> tuple[CheckRun, str]:
        text = "\n".join(lines)
        return typecheck_run(CommandResult(exit_code=2, stdout=text, stderr="", elapsed_s=1))

    one, two = "a.ts(1,2): error TS1: x", "b.ts(1,2): error TS2: y"
    moved = "a.ts(9,9): error TS1: x"
    assert run(one, two)[0] == run(two, moved)[0] != run(one)[0]
    check, told = run(*(f"a.ts({n},1): error TS1: x{n}" for n in range(MAX_DIAGNOSTICS + 5)))
    assert not check.passed and "[5 more; mend these first]" in told
    assert told.count("error TS1") == MAX_DIAGNOSTICS


async def test_a_test_run_is_a_check_with_a_fingerprint_that_times_do_not_change() -> None:
    bench = await tool_bench()
    bench.commands(
        (1, RED.format(ms=5)), (1, RED.format(ms=99)), (0, RED.replace("failed", "passed"))
    )
    assert "expected 1 to be 2" in await bench.ask("run_tests")
    await bench.ask("run_tests")
    await bench.ask("run_tests", file="tests/a.test.ts", name="works (or not)")
    first, second, third = bench.notes.take().checks
    assert first == second and first.fingerprint and not first.passed
    assert third.passed and third.check == "tests tests/a.test.ts works (or not)"
    assert bench.runtime.commands[-1] == (
        "vitest",
        "run",
        "./tests/a.test.ts",
        r"--testNamePattern=works \(or not\)",
    )


async def test_a_run_without_a_test_is_an_error_and_no_check() -> None:
    bench = await tool_bench()
    bench.commands((0, UNMATCHED), (1, "No test files found, exiting with code 1"))
    assert "No test ran: nope" in await bench.ask("run_tests", name="nope")
    assert "the app has none" in await bench.ask("run_tests")
    assert "Did you mean tests/a.test.ts" in await bench.ask("run_tests", file="tests/b.test.ts")
    assert bench.notes.take().checks == ()


async def test_tests_without_end_are_a_red_check() -> None:
    bench = await tool_bench()
    bench.commands((None, "RUN"))
    assert "ran past its time" in await bench.ask("run_tests")
    (run,) = bench.notes.take().checks
    assert not run.passed and run.fingerprint


async def test_an_opened_page_tells_text_console_and_failed_requests_within_bounds() -> None:
    bench = await tool_bench()
    assert "No page was opened yet" in await bench.ask("read_logs", source="browser")
    bench.browser.console = (
        ConsoleEntry(level="debug", text="[vite] connected."),
        *(ConsoleEntry(level="error", text=f"%o\n\nboom {n}" + "x" * 900) for n in range(30)),
    )
    bench.browser.failed = (FailedRequest(method="GET", url="http://app/logo.png", status=404),)
    told = await bench.ask("open_page", path="/customers")
    assert bench.browser.visits[0].path == "/customers"
    assert "- error: boom 0" in told and f"[{30 - MAX_ENTRIES} more]" in told
    assert "GET http://app/logo.png: HTTP 404" in told and told.endswith("fine")
    assert "[vite]" not in told and len(told) < 15_000
    assert "boom 29" in await bench.ask("read_logs", source="browser", lines=3)
    bench.browser.text = " "
    assert "the page is blank" in await bench.ask("open_page")
    assert "is no path of the app" in await bench.ask("open_page", path="//example.com")


# Packages


async def test_an_added_package_changes_both_files_is_installed_and_noted() -> None:
    bench = await tool_bench()
    told = await bench.ask("add_package", names=["nanoid"])
    assert told == "Changed: +nanoid@1.0.0."
    assert set(bench.workspace.take_written()) == {"package.json", "package-lock.json"}
    assert bench.runtime.prepared == 1 and bench.notes.take().packages == ("+nanoid@1.0.0",)
    rows = await bench.store.resources(PROJECT)
    assert {r.kind for r in rows if r.scope.startswith("build:")} == {ResourceKind.WORKLOAD}
    told = await bench.ask("remove_package", names=["zod"])
    assert told == "Changed: -zod. Still imported in: src/App.tsx."


async def test_what_cannot_be_installed_changes_nothing() -> None:
    bench = await tool_bench()
    await bench.ask("write_file", path="src/a.ts", content="mine")
    bench.runtime.crash = WorkloadCrashed("`npm ci` refuses package.json.", log="EINTEGRITY x")
    told = await bench.ask("add_package", names=["nanoid"])
    assert "EINTEGRITY" in told and "Nothing was changed" in told
    assert await bench.workspace.read("package.json") == PACKAGE
    assert bench.workspace.take_written() == {"src/a.ts": "mine"}
    assert bench.notes.take() == StepNotes()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('{"dependencies": {"a": "1"}}', '{"dependencies": {"a": "2"}}', ["+a@2"]),
        ('{"devDependencies": {"a": "1"}}', '{"dependencies": {"b": "1"}}', ["+b@1", "-a"]),
        ('{"dependencies": {"a": "1"}}', '{"dependencies": {"a": "1"}, "x": 1}', []),
        ("not json", '{"dependencies": {"a": "1"}}', ["+a@1"]),
    ],
)
def test_differences_are_told_in_signs(before: str, after: str, told: list[str]) -> None:
    old, new = (PackageManifest(package=text, lock="") for text in (before, after))
    assert differences(old, new) == told
