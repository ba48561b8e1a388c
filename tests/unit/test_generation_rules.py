"""Pure decisions of generation: paths, reserved names, spirals, compression, stages."""

from __future__ import annotations

import pytest

from fleet.domain.plan import Contract, Plan, Procedure, ProcedureKind
from fleet.errors import InvalidInput
from fleet.generation.architect import plan_problems
from fleet.generation.path import checked_path, in_scope, writable_path
from fleet.generation.prompt import fenced, prompt
from fleet.generation.reserved import collisions
from fleet.generation.stage import Move, stage_of
from tests.unit.recorded import gate, step


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
    assert stage_of([step(1, facts={"failed": "it span"})], 3).reason == "it span"
