"""The command's own decisions: where its options may stand, what it prints of an event."""

from __future__ import annotations

import re

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fleet.cli.commands import app, with_globals_first
from fleet.cli.progress import line_of
from fleet.cli.spending import left_words, spent_words
from fleet.errors import InvalidInput


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["new", "x", "--url", "u"], ["--url", "u", "new", "x"]),
        (["new", "x", "--token=t", "--json"], ["--token=t", "new", "x", "--json"]),
        (["--url", "u", "status"], ["--url", "u", "status"]),
        (["new", "--", "--url", "x"], ["new", "--", "--url", "x"]),
        (["up", "--data-dir", "d"], ["up", "--data-dir", "d"]),
        (["status", "--url"], ["--url", "status"]),
    ],
)
def test_global_options_may_stand_anywhere(typed: list[str], meant: list[str]) -> None:
    assert with_globals_first(typed) == meant


def test_a_failed_check_shows_where_and_what() -> None:
    finding = {"where": "src/App.tsx", "message": "Type [string] is wrong"}
    payload = {"check": "typescript", "outcome": "failed", "elapsed_s": 1.25, "findings": [finding]}
    line = line_of({"kind": "check.finished", "payload": payload})
    assert line is not None
    assert "src/App.tsx" in line
    assert "1.25 s" in line


def told(kind: str, **payload: object) -> str:
    line = line_of({"kind": kind, "payload": payload})
    assert line is not None
    return re.sub(r"\[/?[a-z ]*\]", "", line).strip()


def test_a_step_tells_its_tokens_and_the_cost_so_far_where_there_is_a_price() -> None:
    step = {"number": 7, "title": "Wrote a.ts", "prompt_tokens": 48_200, "completion_tokens": 310}
    assert told("step.finished", **step) == "step 7  Wrote a.ts  (48k in, 310 out)"
    priced = told("step.finished", **step, total={"cost_usd": 0.1234})
    assert priced.endswith("(48k in, 310 out, $0.1234 so far)")
    assert told("step.finished", number=8, title="Gate green") == "step 8  Gate green"


@pytest.mark.parametrize(
    ("kind", "payload", "line"),
    [
        (
            "spiral.same_call",
            {"level": "forced", "text": "it repeated the same call"},
            "in circles: it repeated the same call; it may only use the tools that help",
        ),
        ("context.compacted", {"why": "the window is nearly full"}, "earlier steps condensed"),
        ("scope.left", {"path": "a.ts", "reason": "the type lives there"}, "a.ts: the type lives"),
        ("checkpoint.taken", {"checkpoint": "chk_1"}, "checkpoint chk_1: before risky SQL"),
        ("packages.changed", {"packages": ["+zod@4.1.0", "-x"]}, "packages +zod@4.1.0 -x"),
        ("build.continued", {"steps": 5, "tasks_done": 1}, "after 5 steps and 1 tasks done"),
        ("gate.finished", {"green": True, "cached": True}, "✓ unchanged since it was verified"),
    ],
)
def test_what_most_builds_never_have_is_told_readably(
    kind: str, payload: dict[str, object], line: str
) -> None:
    assert line in told(kind, **payload)


SPENDING = {
    "steps": 412,
    "prompt_tokens": 8_100_000,
    "completion_tokens": 950,
    "repeated_tokens": 7_614_000,
    "repeated_share": 0.94,
    "cost_usd": 1.5,
    "wall_s": 61.25,
    "budget": [
        {"name": "steps", "limit": 400, "used": 12, "left": 388},
        {"name": "cost_usd", "limit": 2.0, "used": 1.5, "left": 0.5},
        {"name": "wall_s", "limit": 3_600, "used": 60, "left": 3_540},
    ],
}


def test_what_was_spent_is_said_in_one_line() -> None:
    assert spent_words(SPENDING) == (
        "412 steps, 8.1M prompt tokens (prompt prefix repeated 94%), 950 completion tokens, "
        "$1.50, 61.2 s"
    )
    assert left_words(SPENDING) == "388 of 400 steps, $0.50 of $2.00, 3540 of 3600 s"
    assert left_words({**SPENDING, "budget": []}) == ""


class Posts:
    """A client that notes what is posted."""

    url = "http://localhost:7700"

    def __init__(self) -> None:
        self.posted: list[tuple[str, dict[str, object]]] = []

    def post(self, path: str, body: dict[str, object]) -> dict[str, object]:
        self.posted.append((path, body))
        return {"project": "crm-aaaaa", "build": "bld_1", "after": 7}

    def get(self, path: str) -> dict[str, object]:
        return {"state": "queued", "project": "crm-aaaaa", "build": "bld_1"}


def chat(monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[Posts, Result]:
    client = Posts()
    monkeypatch.setattr("fleet.cli.terminal.Target.client", lambda self: client)
    return client, CliRunner().invoke(app, ["chat", "crm-aaaaa", "--no-wait", *words])


def test_continue_needs_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    client, result = chat(monkeypatch, "--continue")
    assert result.exit_code == 0, result.output
    assert client.posted == [("/v1/projects/crm-aaaaa/continue", {})]


@pytest.mark.parametrize("words", [(), ("--continue", "more"), ("--continue", "--model", "m")])
def test_a_chat_without_sense_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    client, result = chat(monkeypatch, *words)
    assert isinstance(result.exception, InvalidInput) and result.exception.action
    assert client.posted == []


def test_what_nobody_needs_to_see_is_not_shown() -> None:
    assert line_of({"kind": "message.posted", "payload": {"text": "x"}}) is None
