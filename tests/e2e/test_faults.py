"""Every fault of the built-in model on the real platform: it ends as its table says, and the
events tell what the platform did about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from serve.models.blueprint import End, Fault, parse_model_name
from serve.models.blueprint.fault import MISTAKES
from serve.models.blueprint.misbehaviour.detour import OUTSIDE_PATH, OUTSIDE_REASON
from tests.running_platform import RunningPlatform

BOOKS = "Track books: title, author, year, and whether I have read them"
CRM = "customers with name and email; deals with amount, stage (lead, won, lost) and a customer"
IN_CI = {Fault.DIAGNOSE_LOOP, Fault.RAW_TOOL_CALL}
# What must be among a build's events, by fault, and how far the rule went.
MUST_TELL: dict[Fault, tuple[str, str]] = {
    Fault.DIAGNOSE_LOOP: ("spiral.no_edit", "message"),
    Fault.UNDO_LOOP: ("spiral.alternating", "forced"),
    Fault.OVERSIZED_FILE: ("spiral.oversized", "message"),
    Fault.SAME_MISTAKE: ("spiral.same_evidence", "forced"),
    Fault.SCOPE_ESCAPE: ("scope.left", ""),
    Fault.RISKY_SQL: ("checkpoint.taken", ""),
}
LONG_STEPS = 200
LONG_TIMEOUT_S = 900
MAX_CONTINUED = 3


@dataclass(frozen=True)
class Outcome:
    code: int
    result: dict[str, Any]
    events: list[dict[str, Any]]

    def payloads(self, kind: str) -> list[dict[str, Any]]:
        return [e["payload"] for e in self.events if e["kind"] == kind]


def build(platform: RunningPlatform, name: str, message: str, timeout_s: float = 200) -> Outcome:
    code, result = platform.run("new", message, "--model", name, timeout_s=timeout_s)
    events = list(platform.client().events(result["project"], result["build"]))
    return Outcome(code, result, events)


def assert_ends_as_stated(name: str, outcome: Outcome) -> None:
    behaviour = parse_model_name(name)
    assert behaviour is not None
    expected = behaviour.expected
    assert outcome.result["state"] == expected.end.value, outcome.result["explanation"]
    assert expected.told in outcome.result["explanation"]
    assert (outcome.code == 0) is (expected.end is End.SUCCEEDED)
    assert outcome.events[-1]["kind"] == "build.finished"


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(f, id=f.value, marks=[] if f in IN_CI else [pytest.mark.soak])
        for f in Fault
        if f and f not in MISTAKES
    ],
)
def test_a_fault_ends_as_stated_and_the_events_tell_how(
    platform: RunningPlatform, fault: Fault
) -> None:
    name = f"blueprint+{fault.value}"
    outcome = build(platform, name, BOOKS)
    assert_ends_as_stated(name, outcome)
    if fault in MUST_TELL:
        kind, level = MUST_TELL[fault]
        told = outcome.payloads(kind)
        assert told, Counter(e["kind"] for e in outcome.events)
        assert not level or level in {payload["level"] for payload in told}
    if fault is Fault.SCOPE_ESCAPE:
        (left,) = outcome.payloads("scope.left")
        assert (left["path"], left["reason"]) == (OUTSIDE_PATH, OUTSIDE_REASON)


@pytest.mark.timeout(300)
def test_several_faults_at_once_end_in_success_and_each_is_told(platform: RunningPlatform) -> None:
    name = "blueprint+risky-sql+scope-escape+raw-tool-call+type-error"
    outcome = build(platform, name, BOOKS)
    assert_ends_as_stated(name, outcome)
    assert len(outcome.payloads("checkpoint.taken")) >= 1
    assert [left["path"] for left in outcome.payloads("scope.left")] == [OUTSIDE_PATH]
    assert [gate["green"] for gate in outcome.payloads("gate.finished")] == [False, True]
    code, rows = platform.run("psql", outcome.result["project"], "-c", "select * from books")
    assert code == 0 and rows["row_count"] == 0


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(1, 13))
def test_a_seeds_mixture_ends_in_success(platform: RunningPlatform, seed: int) -> None:
    name = f"blueprint+seed-{seed}"
    assert_ends_as_stated(name, build(platform, name, CRM))


@pytest.mark.soak
@pytest.mark.timeout(LONG_TIMEOUT_S + 60)
def test_a_build_of_two_hundred_steps_repeats_none_of_them(platform: RunningPlatform) -> None:
    """The default budget may end on the way: the build then goes on with a fresh one."""
    name = f"blueprint+long-{LONG_STEPS}"
    outcome = build(platform, name, CRM, timeout_s=LONG_TIMEOUT_S)
    for _ in range(MAX_CONTINUED):
        if outcome.result["state"] != "out_of_budget":
            break
        project = outcome.result["project"]
        code, result = platform.run("chat", project, "--continue", timeout_s=LONG_TIMEOUT_S)
        seen = outcome.events[-1]["number"]
        more = platform.client().events(project, result["build"], after=seen)
        outcome = Outcome(code, result, [*outcome.events, *more])
    assert_ends_as_stated(name, outcome)
    titles = Counter(step["title"] for step in outcome.payloads("step.finished"))
    written = {title: count for title, count in titles.items() if title.startswith("Wrote")}
    assert len(written) >= LONG_STEPS
    assert {title for title, count in written.items() if count > 1} == set()
    assert outcome.payloads("context.compacted")
    usage = outcome.events[-1]["payload"]
    assert usage["repeated_tokens"] / usage["prompt_tokens"] >= 0.9
