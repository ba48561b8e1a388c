"""Anti-spiral rules: when each holds, how it escalates, and what it forgives."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fleet.domain.build import Step, StepKind
from fleet.domain.event import EventKind
from fleet.generation.diagnosis import FAILED_FACT
from fleet.generation.limits import CHANGING, LOOKING, Level, Rule, forced_tools, spiral_of
from fleet.generation.producer import CLAIM, with_break
from fleet.settings import Settings
from tests.unit.recorded import gate, numbered, step, unnumbered
from tests.unit.tool_bench import tool_bench

SETTINGS = Settings()
MESSAGE, FORCED, FRESH, FAILED = Level
LOOK = ("read_file", '{"path": "a"}')
ALL_LEVELS = [MESSAGE, FORCED, FRESH, FAILED]

Make = Callable[[int], Step]


def escalations(make: Make, count: int) -> list[tuple[int, Rule, Level]]:
    """Records `count` steps, each judged after those before it, until the task is given up."""
    steps: list[Step] = []
    seen = []
    for number in range(1, count + 1):
        judged = numbered(with_break(unnumbered(make(number)), steps, SETTINGS), number)
        steps.append(judged)
        if (found := spiral_of(judged)) is not None:
            seen.append((number, found.rule, found.level))
        if judged.facts.get(FAILED_FACT):
            break
    return seen


def look(number: int) -> Step:
    return step(number, LOOK)


def look_elsewhere(number: int) -> Step:
    return step(number, ("read_file", f'{{"path": "{number}"}}'))


def say_nothing(number: int) -> Step:
    return step(number)


def undo(number: int) -> Step:
    content = "ab"[number % 2]
    return step(number, ("edit_file", f"{{{number}}}"), writes={"a": content})


def rewrite(number: int) -> Step:
    facts = {"rewritten": ["a"]} if number > 1 else {}
    return step(number, ("write_file", f"{{{number}}}"), writes={"a": str(number)}, facts=facts)


def send_oversized(number: int) -> Step:
    return step(number, ("write_file", f"{{{number}}}"), facts={"oversized": 1})


def fail_alike(number: int) -> Step:
    if number % 2:
        return step(number, ("write_file", f"{{{number}}}"), writes={"a": str(number)})
    return gate(number, "f1", told=["contract: customers.list server-error boom"])


def fail_otherwise(number: int) -> Step:
    if number % 2:
        return step(number, ("write_file", f"{{{number}}}"), writes={"a": str(number)})
    return gate(number, f"f{number}")


@pytest.mark.parametrize(
    ("rule", "make", "at"),
    [
        (Rule.NO_TOOL, say_nothing, [1, 2, 3, 4]),
        (Rule.OVERSIZED, send_oversized, [2, 4, 6, 8]),
        (Rule.SAME_CALL, look, [3, 6, 9, 12]),
        (Rule.ALTERNATING, undo, [4, 8, 12, 16]),
        (Rule.REWRITES, rewrite, [6, 11, 16, 21]),
        (Rule.NO_EDIT, look_elsewhere, [12, 24, 36, 48]),
        (Rule.SAME_EVIDENCE, fail_alike, [4, 6, 8, 10]),
        (Rule.NO_PROGRESS, fail_otherwise, [8, 16, 24, 32]),
    ],
)
def test_a_rule_that_keeps_holding_is_broken_harder_each_time(
    rule: Rule, make: Make, at: list[int]
) -> None:
    expected = [(number, rule, level) for number, level in zip(at, ALL_LEVELS, strict=True)]
    assert escalations(make, 100) == expected


def test_every_rule_has_an_event_of_its_own_and_says_what_to_do() -> None:
    events = set()
    for make in (say_nothing, send_oversized, look, undo, rewrite, look_elsewhere, fail_alike):
        steps: list[Step] = []
        for number in range(1, 60):
            judged = numbered(with_break(unnumbered(make(number)), steps, SETTINGS), number)
            steps.append(judged)
            if (found := spiral_of(judged)) is not None:
                events.add(found.event)
                assert "```json appfleet:spiral" in judged.messages[-1].content
                break
    assert len(events) == 7
    assert all(event in EventKind for event in events)


def test_a_write_between_makes_the_same_call_new_again() -> None:
    def test_and_write(number: int) -> Step:
        return step(number, ("run_tests", "{}"), writes={"a": str(number)})

    assert escalations(test_and_write, 8) == []


def test_another_gate_result_forgives_the_same_evidence() -> None:
    found = {2: "f1", 4: "f1", 6: "f2", 8: "f2"}

    def other_after_a_while(number: int) -> Step:
        return gate(number, found[number]) if number in found else fail_alike(number)

    seen = [s for s in escalations(other_after_a_while, 8) if s[1] is Rule.SAME_EVIDENCE]
    assert [level for _, _, level in seen] == [MESSAGE, MESSAGE]


def test_a_gate_that_finds_less_each_time_is_progress() -> None:
    def less_and_less(number: int) -> Step:
        if number % 2:
            return step(number, writes={"a": str(number)})
        return gate(number, *(f"{number}-{n}" for n in range(20 - number)))

    assert [s for s in escalations(less_and_less, 18) if s[1] is not Rule.NO_TOOL] == []


def test_a_compiler_that_names_other_files_while_an_app_grows_is_no_spiral() -> None:
    def grow(number: int) -> Step:
        run = {"check": "typecheck", "passed": False, "fingerprint": f"p{number}"}
        return step(
            number,
            ("typecheck", "{}"),
            writes={f"src/{number}.ts": "x"},
            facts={"notes": {"checks": [run]}},
        )

    assert escalations(grow, 30) == []


def test_a_compiler_that_says_the_same_again_and_again_is_one() -> None:
    def stand_still(number: int) -> Step:
        run = {"check": "typecheck", "passed": False, "fingerprint": "p"}
        return step(
            number,
            ("typecheck", "{}"),
            writes={"src/a.ts": str(number)},
            facts={"notes": {"checks": [run]}},
        )

    assert escalations(stand_still, 12)[0][1:] == (Rule.NO_PROGRESS, MESSAGE)


def test_a_forced_choice_names_the_tools_and_lasts_one_answer() -> None:
    steps: list[Step] = []
    for number in range(1, 7):
        steps.append(numbered(with_break(unnumbered(look(number)), steps, SETTINGS), number))
    allowed = forced_tools(steps)
    assert allowed is not None and "edit_file" in allowed and "read_file" not in allowed
    assert "edit_file" in steps[-1].messages[-1].content
    assert forced_tools([*steps, look(7)]) is None


async def test_every_tool_either_changes_or_looks_so_that_a_forced_choice_can_name_it() -> None:
    names = {schema.name for schema in (await tool_bench()).tools.schemas} | {CLAIM}
    assert names == CHANGING | LOOKING and not CHANGING & LOOKING


def test_a_task_that_fails_says_what_was_tried_and_what_the_gate_found() -> None:
    steps: list[Step] = []
    for number in range(1, 11):
        steps.append(numbered(with_break(unnumbered(fail_alike(number)), steps, SETTINGS), number))
    told = str(steps[-1].facts[FAILED_FACT])
    assert "the gate kept finding the same fault" in told
    assert "a pointed message, a forced choice of tools and a fresh context did not help" in told
    assert "customers.list server-error boom" in told


def test_the_fresh_level_leaves_its_words_to_the_compaction() -> None:
    steps: list[Step] = []
    for number in range(1, 10):
        steps.append(numbered(with_break(unnumbered(look(number)), steps, SETTINGS), number))
    found = spiral_of(steps[-1])
    assert found is not None and found.level is FRESH
    assert steps[-1].messages == look(9).messages
    afresh = step(10, kind=StepKind.COMPACTION, facts={"through": 9})
    assert spiral_of(afresh) is None
