"""Pure decisions of generation: paths, reserved names, spirals, compression, stages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from fleet.domain.build import Step, StepKind
from fleet.domain.chat import ChatMessage, Role, ToolCall
from fleet.domain.ids import BuildId, TaskId
from fleet.domain.plan import Contract, Plan, Procedure, ProcedureKind
from fleet.errors import InvalidInput
from fleet.generation.architect import plan_problems
from fleet.generation.context import conversation, size_of
from fleet.generation.limits import IDLE_STEPS, Rule, spiral
from fleet.generation.path import checked_path, in_scope, writable_path
from fleet.generation.prompt import fenced, prompt
from fleet.generation.reserved import collisions
from fleet.generation.stage import Move, over_budget, stage_of
from fleet.settings import Settings

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def step(
    number: int, *calls: tuple[str, str], kind: StepKind = StepKind.PRODUCER, **fields: Any
) -> Step:
    made = tuple(
        ToolCall(id=f"{number}.{i}", name=n, arguments=a) for i, (n, a) in enumerate(calls)
    )
    answers = (ChatMessage(role=Role.TOOL, content="ok", tool_call_id=c.id) for c in made)
    said = ChatMessage(role=Role.ASSISTANT, tool_calls=made)
    values: dict[str, Any] = {
        "messages": () if kind is StepKind.GATE else (said, *answers),
        "writes": {},
        "facts": {},
        "usage": {},
        **fields,
    }
    return Step(
        number=number,
        build=BuildId("bld_x"),
        task=TaskId("tsk_x"),
        kind=kind,
        title="",
        elapsed_s=0,
        created_at=NOON,
        **values,
    )


def gate(number: int, *fingerprints: str, green: bool = False, **facts: Any) -> Step:
    found = {"fingerprints": list(fingerprints), "commit": "c" * 40, "green": green, **facts}
    return step(number, kind=StepKind.GATE, facts=found)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../x",
        "src/../../x",
        "src//x",
        "src/./x",
        "",
        "a\0b",
        "a\nb",
        "C:/x",
        "a\\b",
        ".git/config",
        "src/.GIT/x",
        ".git /x",
        "GIT~1/x",
        "~/x",
        "src/",
        "x" * 300,
    ],
)
def test_a_path_that_leaves_the_project_is_refused_with_advice(path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        checked_path(path)
    assert len(str(caught.value)) > 20


def test_plain_paths_pass_in_any_script() -> None:
    for path in (
        "src/App.tsx",
        "./README.md",
        "docs/тест/é.md",
        ".gitignore",
        "src/pages/[id].tsx",
    ):
        assert checked_path(path) == path.removeprefix("./")


@pytest.mark.parametrize(
    ("pattern", "path", "inside"),
    [
        ("**", "a/b/c.ts", True),
        ("src/**", "src/pages/Home.tsx", True),
        ("src/**", "srcx/Home.tsx", False),
        ("src/", "src/a/b.ts", True),
        ("db/migrations/*", "db/migrations/0001_a.sql", True),
        ("db/migrations/*", "db/migrations/old/0001_a.sql", False),
        ("src/**/*.tsx", "src/App.tsx", True),
        ("server/[x].ts", "server/[x].ts", True),
        ("*.json", "src/a.json", False),
        ("a?.ts", "ab.ts", True),
    ],
)
def test_a_scope_is_a_glob(pattern: str, path: str, inside: bool) -> None:
    assert in_scope(path, [pattern]) is inside


def test_a_write_outside_the_scope_or_to_the_platforms_files_says_what_may_be_written() -> None:
    with pytest.raises(InvalidInput, match=r"src/\*\*"):
        writable_path("server/x.ts", ["src/**"])
    for path in (".appfleet/spec.json", "node_modules/x/index.js", "src/node_modules/x.js"):
        with pytest.raises(InvalidInput):
            writable_path(path, ["**"])


def test_names_that_sql_or_typescript_keep_are_named_one_by_one() -> None:
    names = ["class.list", "orders.delete", "users.then", "notes", "notes.list"]
    contract = Contract(
        procedures=tuple(Procedure(name=n, kind=ProcedureKind.QUERY) for n in names),
        tables=("order", "user", "pg_things", "customers"),
    )
    found = " ".join(collisions(contract))
    for name in ("'order'", "'user'", "'pg_things'", "'class.list'", "'users.then'", "'notes'"):
        assert name in found
    assert "customers" not in found and "orders.delete" not in found


def test_a_plan_is_checked_for_catalog_and_scope() -> None:
    plan = Plan.model_validate(
        {
            "title": "T",
            "summary": "",
            "services": [{"kind": "mainframe"}],
            "tasks": [{"title": "a", "instructions": "b", "scope": ["../x/**"]}],
            "contract": {},
        }
    )
    problems = " ".join(plan_problems(plan, frozenset({"postgres"})))
    assert "mainframe" in problems and "'../x/**'" in problems


def test_the_same_call_thrice_is_nudged_and_thrice_more_is_broken() -> None:
    look = ("read_file", '{"path": "a"}')
    steps = [step(1, look), step(2, look)]
    assert spiral(steps) is None
    steps.append(step(3, ("read_file", '{ "path":"a" }')))
    found = spiral(steps)
    assert found is not None and found.rule is Rule.SAME_CALL and not found.broken
    steps[-1] = step(3, look, facts={"nudge": "same_call"})
    steps += [step(4, look), step(5, look)]
    assert spiral(steps) is None
    steps.append(step(6, look))
    found = spiral(steps)
    assert found is not None and found.broken


def test_a_write_between_makes_the_same_call_new_again() -> None:
    look = ("run_tests", "{}")
    steps = [step(n, look, writes={"a": str(n)}) for n in range(1, 9)]
    assert spiral(steps) is None


def test_looking_without_editing_is_nudged() -> None:
    steps = [step(n, ("read_file", f'{{"path": "{n}"}}')) for n in range(1, IDLE_STEPS + 1)]
    found = spiral(steps)
    assert found is not None and found.rule is Rule.NO_EDIT
    assert spiral(steps[:-1]) is None


def test_edits_that_go_back_and_forth_are_nudged() -> None:
    steps = [step(n, ("write_file", f"{{{n}}}"), writes={"a": "ab"[n % 2]}) for n in range(4)]
    found = spiral(steps)
    assert found is not None and found.rule is Rule.ALTERNATING
    assert spiral(steps[:3]) is None


def test_an_answer_without_a_call_is_nudged_each_time_until_it_is_broken() -> None:
    first = spiral([step(1)])
    assert first is not None and not first.broken
    nudged = {"nudge": "no_tool"}
    second = spiral([step(1, facts=nudged), step(2)])
    assert second is not None and not second.broken
    third = spiral([step(1, facts=nudged), step(2, facts=nudged), step(3)])
    assert third is not None and third.broken


def test_the_same_evidence_twice_is_nudged_and_thrice_is_broken() -> None:
    edit = step(2, ("write_file", "{}"), writes={"a": "x"})
    assert spiral([gate(1, "f1")]) is None
    twice = spiral([gate(1, "f1"), edit, gate(3, "f1")])
    assert twice is not None and twice.rule is Rule.SAME_EVIDENCE and not twice.broken
    assert spiral([gate(1, "f1"), edit, gate(3, "f2")]) is None
    thrice = spiral([gate(1, "f1"), edit, gate(3, "f1", nudge="same_evidence"), gate(4, "f1")])
    assert thrice is not None and thrice.broken


def _long(count: int) -> list[Step]:
    return [
        step(
            n,
            ("write_file", "x" * 1_000),
            writes={f"f{n}.ts": "y"},
            facts={"sql": [f"select {n}"]},
        )
        for n in range(1, count + 1)
    ]


HEAD = (ChatMessage(role=Role.SYSTEM, content="s"), ChatMessage(role=Role.USER, content="u"))


def test_a_short_history_is_whole() -> None:
    steps = _long(3)
    assert conversation(HEAD, steps) == (*HEAD, *(m for s in steps for m in s.messages))


def test_dropped_history_stays_as_progress_and_every_call_keeps_its_answer() -> None:
    told = conversation(HEAD, _long(30), high_chars=10_000, low_chars=4_000)
    assert told[:2] == HEAD and size_of(told) < 14_000
    assert "f1.ts" in told[2].content and "select 1" in told[2].content
    open_calls: set[str] = set()
    for message in told[2:]:
        open_calls |= {c.id for c in message.tool_calls}
        if message.role is Role.TOOL:
            assert message.tool_call_id in open_calls
            open_calls.discard(str(message.tool_call_id))
    assert not open_calls


def test_between_two_cuts_the_prompt_only_grows_at_its_end() -> None:
    steps, cuts = _long(60), 0
    before: tuple[ChatMessage, ...] = HEAD
    for count in range(1, 61):
        now = conversation(HEAD, steps[:count], high_chars=20_000, low_chars=5_000)
        if now[: len(before)] != before:
            cuts += 1
        before = now
    assert 1 <= cuts <= 4


def test_a_fence_cannot_be_closed_by_its_content_and_dollars_stay() -> None:
    text = prompt("producer_task", task=fenced("appfleet:task", {"message": "``` $x `a`"}))
    assert text.count("```") == 2 and "$x" in text


def test_the_next_move_follows_from_the_last_step() -> None:
    claim = step(1, ("claim_done", "{}"), facts={"claimed": True})
    assert stage_of([], 3).move is Move.PRODUCE
    assert stage_of([claim], 3).move is Move.VERIFY
    assert stage_of([claim, gate(2, "f")], 3).move is Move.PRODUCE
    assert stage_of([claim, gate(2, "f")], 1).move is Move.GIVE_UP
    landed = stage_of([claim, gate(2, green=True)], 1)
    assert landed.move is Move.LAND and landed.commit == "c" * 40 and landed.attempt == 1
    assert stage_of([step(1, facts={"spiral": "it span"})], 3).reason == "it span"


def test_each_budget_is_named_when_it_is_spent() -> None:
    used = {"prompt_tokens": 10, "completion_tokens": 5, "completions": 1}
    steps = [step(1, usage=used)]
    assert over_budget(steps, 1.0, Settings()) == ""
    assert "1 steps" in over_budget(steps, 1.0, Settings(max_steps=1))
    assert "prompt" in over_budget(steps, 1.0, Settings(max_prompt_tokens=10))
    assert "completion" in over_budget(steps, 1.0, Settings(max_completion_tokens=5))
    assert "seconds" in over_budget(steps, 9.0, Settings(max_build_s=9))
