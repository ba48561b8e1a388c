"""The command's own decisions: where its options may stand, what it prints of an event."""

from __future__ import annotations

import pytest

from fleet.cli.commands import with_globals_first
from fleet.cli.progress import line_of


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


def test_what_nobody_needs_to_see_is_not_shown() -> None:
    assert line_of({"kind": "message.posted", "payload": {"text": "x"}}) is None
