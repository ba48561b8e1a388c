"""The command's own decisions: where its options may stand, what it prints of an event."""

from __future__ import annotations

import json
import re

import pytest
from typer.testing import CliRunner, Result

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
        (
            "check.finished",
            {"check": "tests", "outcome": "failed", "elapsed_s": 3, "recalled": True},
            "✗ tests      (unchanged, judged before)",
        ),
        (
            "task.failed",
            {"reason": "Task “T” failed: it kept looking; it was told so; the model said: “x”."},
            "given up: Task “T” failed: it kept looking …",
        ),
    ],
)
def test_what_most_builds_never_have_is_told_readably(
    kind: str, payload: dict[str, object], line: str
) -> None:
    assert line in told(kind, **payload)


def test_a_cached_verdict_has_no_tick_of_its_own() -> None:
    assert line_of({"kind": "gate.finished", "payload": {"cached": True, "green": False}}) is None


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
    assert left_words(SPENDING) == "$0.50 of $2.00"
    steps_nearest = [{**line, "used": 399, "left": 1} for line in SPENDING["budget"][:1]]
    assert left_words({**SPENDING, "budget": [*SPENDING["budget"], *steps_nearest]}) == (
        "$0.50 of $2.00, 1 of 400 steps"
    )
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


class Gets:
    """A client that answers from what it was given."""

    url = "http://localhost:7700"

    def __init__(self, answers: dict[str, object]) -> None:
        self.answers = answers

    def get(self, path: str) -> object:
        return self.answers[path]


def run(monkeypatch: pytest.MonkeyPatch, answers: dict[str, object], *words: str) -> str:
    monkeypatch.setattr("fleet.cli.terminal.Target.client", lambda self: Gets(answers))
    monkeypatch.setenv("COLUMNS", "80")
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, result.output
    return result.output


USAGE = {**SPENDING, "since": "2026-01-01T10:00:00Z", "period_s": 86_400.0}


def test_usage_is_a_command_of_its_own_with_and_without_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = run(monkeypatch, {"/v1/usage": USAGE}, "usage")
    assert "spent since 2026-01-01 10:00: 412 steps" in told
    assert "left of the owner's budget: " in told and "$0.50 of $2.00" in told
    free = run(monkeypatch, {"/v1/usage": {**USAGE, "budget": []}}, "usage")
    assert "412 steps" in free and "left" not in free
    assert json.loads(run(monkeypatch, {"/v1/usage": USAGE}, "usage", "--json")) == USAGE


def test_status_cuts_no_address_at_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://web-{'customers-and-deals-' * 4}abcde.localhost:7700/"
    built = {
        "id": "customers-abcde",
        "title": "A CRM [bold] for a bakery " * 4,
        "state": "active",
        "head": "c" * 40,
        "apps": [{"slug": "web", "preview_url": url}],
        "created_at": "2026-01-01T10:00:00Z",
        "last_build": "out_of_budget",
    }
    new = {**built, "id": "new-bbbbb", "head": None, "last_build": None}
    told = run(
        monkeypatch,
        {
            "/v1/status": {"version": "1", "problems": []},
            "/v1/projects": [built, new],
            "/v1/usage": {**USAGE, "budget": []},
        },
        "status",
    )
    assert told.count(url) == 1
    assert "customers-abcde  out of budget" in told and "new-bbbbb        no build yet" in told
    assert "[bold]" in told


def built(build: str, state: str) -> dict[str, object]:
    return {"project": "crm-aaaaa", "build": build, "state": state, "text": f"make {build}"}


def test_show_tells_an_older_build_when_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = built("bld_1", "failed"), built("bld_2", "succeeded")
    answers: dict[str, object] = {
        "/v1/projects/crm-aaaaa": {"title": "CRM", "builds": [old, new]},
        "/v1/projects/crm-aaaaa/builds/bld_1": {**old, "explanation": "It did not pass."},
        "/v1/projects/crm-aaaaa/builds/bld_2": new,
    }
    newest = run(monkeypatch, answers, "show", "crm-aaaaa")
    assert "build bld_2  succeeded" in newest and "did not pass" not in newest
    older = run(monkeypatch, answers, "show", "crm-aaaaa", "--build", "bld_1")
    assert "build bld_1  failed" in older and "It did not pass." in older
    told = json.loads(run(monkeypatch, answers, "show", "crm-aaaaa", "--build", "bld_1", "--json"))
    assert told["build"]["state"] == "failed" and len(told["builds"]) == 2


def test_a_project_without_builds_is_shown_without_a_dangling_heading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers: dict[str, object] = {"/v1/projects/crm-aaaaa": {"title": "CRM", "builds": []}}
    assert run(monkeypatch, answers, "show", "crm-aaaaa") == "CRM  crm-aaaaa\n  no build yet\n"


def test_a_step_is_numbered_as_budgets_count_and_a_gate_run_is_not() -> None:
    total = {"steps": 4}
    assert "step 4  Wrote" in told("step.finished", number=5, title="Wrote", total=total)
    gate = told("step.finished", number=6, title="Gate green", counted=False, total=total)
    assert "Gate green" in gate and "step" not in gate
