"""A step's title names what was done to what, and what did not work."""

from __future__ import annotations

import json

import pytest

from fleet.domain.chat import ToolCall
from fleet.domain.progress import CheckRun, StepNotes
from fleet.generation.titles import MAX_TITLE_CHARS, Writes, title_of
from fleet.generation.tools.tool import ToolResult

OK, NO = ToolResult("ok"), ToolResult("Error: it is too large.", failed=True)


def call(name: str, arguments: object) -> ToolCall:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return ToolCall(id="c", name=name, arguments=text)


def title(
    *ran: tuple[str, object, ToolResult],
    writes: Writes | None = None,
    notes: StepNotes | None = None,
    claimed: bool = False,
) -> str:
    results = [(call(name, arguments), result) for name, arguments, result in ran]
    return title_of(results, writes or {}, notes or StepNotes(), claimed=claimed)


@pytest.mark.parametrize(
    ("name", "arguments", "result", "told"),
    [
        ("read_file", {"path": "src/App.tsx"}, OK, "Read src/App.tsx"),
        ("search", {"text": "price"}, OK, "Searched “price”"),
        ("list_files", {"pattern": "**"}, OK, "Listed the files"),
        ("list_files", {"pattern": "src/**"}, OK, "Listed src/**"),
        ("run_sql", {"sql": "delete\n  from scratch"}, OK, "Ran SQL: delete from scratch"),
        ("add_package", {"names": ["zod", "ms"]}, OK, "Added zod, ms"),
        ("write_file", {"path": "src/big.ts"}, NO, "Refused: write_file src/big.ts"),
        ("write_file", {"path": "src/App.tsx"}, OK, "Nothing changed in src/App.tsx"),
        ("write_file", '{"path": ', NO, "Refused: write_file"),
        ("read_file", {"path": ["a", 1]}, NO, "Failed: read_file a, 1"),
        ("bash", {}, NO, "Failed: bash"),
        ("read_file", {"path": "a"}, ToolResult("Error: not run; …", failed=True), "Refused: "),
    ],
)
def test_a_single_call_is_told_with_its_object(
    name: str, arguments: object, result: ToolResult, told: str
) -> None:
    assert title((name, arguments, result)).startswith(told)


def test_a_check_that_the_model_ran_says_how_it_ended() -> None:
    notes = StepNotes(checks=(CheckRun(check="typecheck", passed=False),))
    assert title(("typecheck", {}, OK), notes=notes) == "Checked the types: failed"


def test_several_calls_share_a_bounded_line_and_repeats_are_told_once() -> None:
    long = [("read_file", {"path": f"{n}" * 200}, OK) for n in range(9)]
    told = title(*long, long[0])
    assert len(told) <= MAX_TITLE_CHARS and told.endswith("… and 7 more")
    assert title(long[0], long[0]) == title(long[0])


def test_what_was_written_or_claimed_comes_before_what_was_looked_at() -> None:
    looked = ("read_file", {"path": "b"}, OK)
    assert title(looked, writes={"a.ts": "x", "b.ts": None}) == "Wrote a.ts and 1 more"
    assert title(looked, writes={"a.ts": None}, claimed=True) == "Deleted a.ts, claimed done"
    assert title(looked, claimed=True) == "Claimed done"
    assert title() == "Answered without a tool"
