"""What a suite's text tells before it is run, and what its runs tell beyond passed and failed."""

from __future__ import annotations

import json

import pytest

from fleet.domain.plan import Procedure, ProcedureKind
from fleet.domain.workload import CommandResult
from fleet.verification.suite import NO_SUITE, Suite, read_suite
from fleet.verification.tests import judge_tests

PATH = "tests/customers.test.ts"
CREATE = Procedure(name="customers.create", kind=ProcedureKind.MUTATION)
HEAD = 'import { beforeEach, expect, test } from "vitest";\n'
DATABASE = 'import { query } from "../server/db.ts";\nexport const emptyTables = () => query("");\n'


def suite_of(text: str, **others: str) -> Suite:
    files = {PATH: HEAD + text}
    files |= {name.replace("__", "/") + ".ts": body for name, body in others.items()}
    return read_suite(files, {})


def ran(*tests: dict[str, object], exit_code: int = 0, **lines: object) -> CommandResult:
    report = {
        "numTotalTestSuites": 1,
        "testResults": [{"name": f"/app/{PATH}", "status": "passed", "assertionResults": tests}],
    }
    told = [json.dumps(report), *(json.dumps({key: value}) for key, value in lines.items())]
    return CommandResult(
        exit_code=exit_code, stdout="\n".join(told) + "\n", stderr="", elapsed_s=1.0
    )


def passed(name: str, line: int = 2, **meta: object) -> dict[str, object]:
    return {"fullName": name, "status": "passed", "location": {"line": line}, "meta": meta}


@pytest.mark.parametrize(
    "assertion",
    [
        "expect(true).toBe(true)",
        "expect(1 + 1).toEqual(2)",
        "expect({ a: [1, 'x'] }).toBeDefined()",
        "expect(await load())",
        "expect(load()).toBe",
        "expect(value).toBe(value)",
        "expect('text').not.toBe('other')",
        "const ok = true; expect(ok).toBe(true)",
        "expect(limit).toBe(50)",
        "expect(api.customers.list({})).toBeDefined()",
    ],
)
def test_an_assertion_that_cannot_fail_is_idle(assertion: str) -> None:
    text = f'test("a", async () => {{ {assertion}; }});\nconst limit = 50;'
    case = suite_of(text).case(PATH, 2)
    assert case is not None
    assert (case.idle, case.idle_text, case.all_idle) == (1, case.idle_text, True)
    assert case.idle_text.startswith("expect(")


@pytest.mark.parametrize(
    "assertion",
    [
        "expect(await load()).toBe(true)",
        "expect(true).toBe(await load())",
        "await expect(load()).rejects.toThrow()",
        "expect(value).not.toBe(value)",
        "expect(next(value)).toBe(value)",
        "expect(row?.name).toBeUndefined()",
        "expect(`${name}`).toBe('a')",
        "const { limit } = await load(); expect(limit).toBe(50)",
        "for (const limit of await load()) expect(limit).toBe(50)",
        "all.forEach((limit) => expect(limit).toBe(50))",
        "all.forEach(({ limit }) => { expect(limit).toBe(50); })",
        "expect(await api.customers.list({})).toBeDefined()",
        "await expect(api.customers.list({})).resolves.toBeDefined()",
    ],
)
def test_an_assertion_about_what_the_code_gives_is_not_idle(assertion: str) -> None:
    text = f'const limit = 50; test("a", async () => {{ {assertion}; }});'
    case = suite_of(text).case(PATH, 2)
    assert case is not None
    assert (case.idle, case.all_idle) == (0, False)


def test_tests_are_found_with_a_timeout_in_groups_and_for_each_of_several_values() -> None:
    suite = suite_of(
        'describe("group", () => {\n'
        '  test("a", { retry: 1 }, async () => { expect(true).toBe(true); });\n'
        '  it.each([1])("b %i", (n) => { expect(n).toBe(1); }, 5_000);\n'
        "});\n"
    )
    assert [(case.line, case.idle) for case in suite.cases[PATH]] == [(3, 1), (4, 0)]


def test_a_test_that_asserted_nothing_is_red_at_its_line() -> None:
    suite = suite_of('test("customers.create works", async () => {});')
    ran_empty = ran(passed("customers.create works", asserted=0, called=["customers.create"]))
    (found,) = judge_tests(ran_empty, [CREATE], suite)
    assert (found.where, found.code, found.line) == (PATH, "no-assertion", 2)


def test_a_test_whose_every_assertion_is_idle_is_red_and_shows_one() -> None:
    suite = suite_of('test("a", () => { for (const n of all) expect(n === 1); });')
    (found,) = judge_tests(ran(passed("a", asserted=5, called=[])), [], suite)
    assert (found.code, found.excerpt) == ("idle-assertion", "expect(n === 1)")


def test_an_idle_assertion_beside_a_counted_one_of_a_called_function_is_not_red() -> None:
    suite = suite_of(
        "function check(value: number) { expect(value).toBe(1); }\n"
        'test("a", () => { expect(true).toBe(true); check(one()); });'
    )
    assert judge_tests(ran(passed("a", 3, asserted=2, called=[])), [], suite) == []


def test_assertions_that_vitest_does_not_count_are_trusted() -> None:
    suite = suite_of('import assert from "node:assert";\ntest("a", () => assert.equal(one(), 1));')
    assert judge_tests(ran(passed("a", 3, asserted=0, called=[])), [], suite) == []


def test_a_test_that_is_said_to_fail_and_a_file_that_is_not_run_are_red() -> None:
    suite = suite_of('test.fails("a", async () => { expect(await load()).toBe(1); });')
    (found,) = judge_tests(ran(passed("a")), [], suite)
    assert (found.where, found.code) == (PATH, "inverted-test")
    files = {PATH: HEAD, "src/other.test.ts": HEAD}
    (found,) = judge_tests(ran(passed("a", asserted=1)), [], read_suite(files, {}))
    assert (found.where, found.code) == ("src/other.test.ts", "test-file-not-run")


def test_a_runner_that_noted_nothing_leaves_the_judgement_to_names() -> None:
    suite = suite_of('test("customers.create works", async () => {});')
    assert judge_tests(ran(passed("customers.create works")), [CREATE], suite) == []


def test_a_procedure_that_is_named_but_never_called_is_red() -> None:
    test = passed("customers.create works", asserted=1, called=["customers.list"])
    (found,) = judge_tests(ran(test), [CREATE], NO_SUITE)
    assert (found.where, found.code) == ("customers.create", "uncalled-procedure")
    assert found.excerpt == f"{PATH}:2 customers.create works"


def test_one_test_that_names_and_calls_is_enough() -> None:
    tests = [
        passed("customers.create has an example", 2, asserted=1, called=[]),
        passed("customers.create works", 5, asserted=1, called=["customers.create"]),
    ]
    assert judge_tests(ran(*tests), [CREATE], NO_SUITE) == []


def relapse(kind: str, line: int = 2) -> dict[str, object]:
    return {"kind": kind, "file": f"/app/{PATH}", "name": "a", "line": line, "failure": "Error: 1"}


def test_a_test_that_fails_in_another_order_or_at_another_time_is_red() -> None:
    suite = suite_of('test("a", () => { expect(year()).toBe(2026); });')
    result = ran(passed("a", asserted=1), failedAgain=[relapse("order"), relapse("clock")])
    found = judge_tests(result, [], suite)
    assert [(f.where, f.code, f.line) for f in found] == [
        (PATH, "order-dependent", 2),
        (PATH, "time-dependent", 2),
    ]
    assert found[0].fingerprint != found[1].fingerprint


@pytest.mark.parametrize(
    ("migration", "body"),
    [
        ("created_at timestamptz not null default now()", "expect(row.createdAt).toBe(today())"),
        ("seen_on date default current_date", "expect(row.seen_on).toBe(today())"),
    ],
)
def test_a_test_of_the_databases_own_clock_is_not_called_dependent_on_time(
    migration: str, body: str
) -> None:
    files = {
        PATH: HEAD + f'test("a", () => {{ {body}; }});',
        "db/migrations/0001_a.sql": f"create table a (\n  id int,\n  {migration}\n);",
    }
    result = ran(passed("a", asserted=1), failedAgain=[relapse("clock")])
    assert judge_tests(result, [], read_suite(files, {})) == []


def test_a_test_that_never_ends_is_named() -> None:
    stuck = {"file": f"/app/{PATH}", "name": "customers.list lists", "line": 9}
    result = ran(exit_code=1, stuck=stuck)
    (found,) = judge_tests(result, [CREATE], NO_SUITE)
    assert (found.where, found.code, found.line) == (PATH, "test-never-ends", 9)


def test_order_matters_only_where_tests_can_share_something() -> None:
    each = 'import { emptyTables } from "./database.ts";\nbeforeEach(emptyTables);\n'
    alone = suite_of(each, tests__database=DATABASE, server__db="export const query = () => 1;")
    assert not alone.by_order
    once = suite_of(
        each.replace("beforeEach", "beforeAll"),
        tests__database=DATABASE,
        server__db="export const query = () => 1;",
    )
    assert once.by_order
    assert suite_of("let count = 0;").by_order
    assert suite_of(
        'import "../src/cart.ts";', src__cart="export const rows: number[] = [];"
    ).by_order
    group = 'describe("a", () => { let id = 0; test("b", () => {}); });'
    assert suite_of(group).by_order
    assert not suite_of('test("b", () => { let id = 0; });').by_order
    assert not suite_of("const limit = 3;", src__cart="let unused = 0;").by_order


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("const now = new Date();", True),
        ("const now = Date.now();", True),
        ("const now = new Date;", True),
        ("const day = new Date(text);", False),
        ("const updated = newDate();", False),
    ],
)
def test_the_clock_matters_only_where_it_is_asked(text: str, asked: bool) -> None:
    assert suite_of(text).by_clock is asked


def test_what_is_the_templates_own_gives_no_cause() -> None:
    files = {PATH: HEAD + 'import "../server/db.ts";', "server/db.ts": "let pool = Date.now();"}
    suite = read_suite(files, {"server/db.ts": files["server/db.ts"]})
    assert not suite.by_clock


def test_a_deadline_that_ends_the_extra_runs_is_not_the_suites_failure() -> None:
    result = ran(passed("a", asserted=1)).model_copy(update={"exit_code": None})
    assert judge_tests(result, [], NO_SUITE) == []
