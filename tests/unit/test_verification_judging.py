"""What compilers, suites, answers and pages say, turned into evidence. No process is started."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleet.domain.ids import AppSlug, BuildId, CommitId, ProjectId
from fleet.domain.page import ConsoleEntry, FailedRequest, PageReport
from fleet.domain.plan import Contract, Procedure, ProcedureKind
from fleet.domain.verdict import MAX_EXCERPT_CHARS, CheckName, CheckOutcome, GateRequest
from fleet.domain.workload import CommandResult
from fleet.errors import MigrationFailed, WorkloadCrashed
from fleet.verification.answers import (
    judge_answer,
    judge_crash,
    judge_migration,
    judge_tables,
    with_cause,
)
from fleet.verification.browse import browser_files_changed, picture_path
from fleet.verification.evidence import MAX_FINDINGS, app_place, excerpt, finding, judged
from fleet.verification.pages import judge_page, page_source
from fleet.verification.placeholder import untouched_files
from fleet.verification.probe import Answer
from fleet.verification.subject import Subject
from fleet.verification.tests import judge_tests, names
from fleet.verification.twin import twin_of
from fleet.verification.typescript import judge_tsc

CREATE = Procedure(name="customers.create", kind=ProcedureKind.MUTATION)


def ran(stdout: str, exit_code: int | None = 1, stderr: str = "") -> CommandResult:
    return CommandResult(exit_code=exit_code, stdout=stdout, stderr=stderr, elapsed_s=0.1)


# The compiler.


def test_the_compilers_diagnostics_become_findings_with_file_line_and_code() -> None:
    found = judge_tsc(
        ran(
            "src/a.tsx(1,14): error TS2322: Type 'number' is not assignable to type 'string'.\n"
            "server/b.ts(20,3): error TS2345: Argument is wrong.\n"
            "  Types of property 'x' are incompatible.\n"
            "error TS18003: No inputs were found.\n"
        )
    )
    assert [(f.where, f.line, f.code) for f in found] == [
        ("src/a.tsx", 1, "TS2322"),
        ("server/b.ts", 20, "TS2345"),
        ("tsconfig.json", 0, "TS18003"),
    ]
    assert "Types of property 'x'" in found[1].excerpt


def test_a_compiler_that_says_nothing_readable_or_hangs_is_red_all_the_same() -> None:
    assert [f.code for f in judge_tsc(ran("Segmentation fault", 139))] == ["tsc-failed"]
    assert [f.code for f in judge_tsc(ran("", None))] == ["tsc-timeout"]
    assert judge_tsc(ran("", 0)) == []


# The suite.


def suite(*tests: tuple[str, str, str], file_status: str = "passed", message: str = "") -> str:
    report = {
        "numTotalTestSuites": 1,
        "testResults": [
            {
                "name": "/app/tests/customers.test.ts",
                "status": file_status,
                "message": message,
                "assertionResults": [
                    {
                        "fullName": name,
                        "status": status,
                        "failureMessages": [failure] if failure else [],
                        "location": {"line": 3, "column": 1},
                    }
                    for name, status, failure in tests
                ],
            }
        ],
    }
    return "noise\n" + json.dumps(report, separators=(",", ":")) + "\n"


def test_a_green_suite_that_names_every_procedure_has_no_findings() -> None:
    output = suite(("customers.create stores a customer", "passed", ""))
    assert judge_tests(ran(output, 0), [CREATE]) == []


def test_a_failing_test_names_file_test_and_line() -> None:
    failure = "AssertionError: expected 1 to be 2\n    at /app/tests/customers.test.ts:9:100"
    found = judge_tests(
        ran(suite(("customers.create stores", "failed", failure), file_status="failed")), [CREATE]
    )
    assert [(f.where, f.code, f.line) for f in found] == [
        ("tests/customers.test.ts", "test-failed", 9)
    ]
    assert found[0].message == "customers.create stores: AssertionError: expected 1 to be 2"


def test_a_skipped_test_counts_neither_as_executed_nor_as_green() -> None:
    found = judge_tests(ran(suite(("customers.create x", "skipped", "")), 0), [CREATE])
    assert {(f.where, f.code) for f in found} == {
        ("tests/customers.test.ts", "test-skipped"),
        ("customers.create", "untested-procedure"),
    }


def test_no_tests_at_all_is_red() -> None:
    assert [f.code for f in judge_tests(ran(suite(), 0), [])] == ["no-tests"]


def test_a_file_that_cannot_be_loaded_is_named() -> None:
    found = judge_tests(ran(suite(file_status="failed", message="Cannot find module 'x'")), [])
    assert [(f.where, f.code) for f in found] == [("tests/customers.test.ts", "test-file-failed")]


def test_an_error_outside_of_every_test_is_red_and_placed() -> None:
    unhandled = {"unhandledErrors": ["Error: late\n at x (/app/server/db.ts:7:3)"]}
    output = suite(("customers.create x", "passed", "")) + json.dumps(
        unhandled, separators=(",", ":")
    )
    found = judge_tests(ran(output, 1), [CREATE])
    assert [(f.where, f.line, f.code) for f in found] == [("server/db.ts", 7, "unhandled-error")]


def test_a_suite_without_a_report_is_red() -> None:
    found = judge_tests(ran("", 1, "SyntaxError at /app/tests/setup.ts:4:1"), [])
    assert [(f.where, f.line, f.code) for f in found] == [("tests/setup.ts", 4, "vitest-failed")]
    assert [f.code for f in judge_tests(ran("", None), [])] == ["tests-timeout"]
    assert [f.code for f in judge_tests(ran('{"numTotalTestSuites":1,"te', 1), [])] == [
        "vitest-failed"
    ]


@pytest.mark.parametrize(
    ("test", "named"),
    [
        ("customers.create stores", True),
        ("API customers.create: stores", True),
        ("stores with customers.create.", True),
        ("customers.createMany stores", False),
        ("vip.customers.create stores", False),
        ("customers.create.deep stores", False),
    ],
)
def test_a_test_names_a_procedure_by_its_whole_dotted_path(test: str, named: bool) -> None:
    assert names("customers.create", test) is named


# Probes.


def trpc_error(status: int, code: str, message: str, stack: str = "") -> Answer:
    error = {"message": message, "code": -1, "data": {"code": code, "stack": stack}}
    return Answer("POST /trpc/customers.create {}", status, json.dumps({"error": error}))


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        (Answer("r", 200, '{"result":{"data":{"id":1}}}'), []),
        (Answer("r", 200, '{"result":{}}'), []),
        (trpc_error(404, "NOT_FOUND", "No customer has the id 7."), []),
        (trpc_error(409, "CONFLICT", "Taken."), []),
        (trpc_error(400, "BAD_REQUEST", "The chosen customer does not exist."), []),
        (
            trpc_error(404, "NOT_FOUND", 'No procedure found on path "customers.create"'),
            ["missing-procedure"],
        ),
        (Answer("r", 404, "<html>"), ["missing-procedure"]),
        (trpc_error(405, "METHOD_NOT_SUPPORTED", "Unsupported POST-request"), ["wrong-kind"]),
        (trpc_error(400, "BAD_REQUEST", "[{...}]"), ["rejects-example"]),
        (trpc_error(500, "INTERNAL_SERVER_ERROR", "boom"), ["server-error"]),
        (Answer("r", 0, "", "no answer within 10 s"), ["no-answer"]),
        (Answer("r", 200, "<!doctype html>"), ["not-trpc"]),
        (
            Answer("r", 200, '{"result":{"data":{"placeholder":"appfleet scaffold"}}}'),
            ["placeholder"],
        ),
    ],
)
def test_an_answer_is_judged_by_what_it_proves(answer: Answer, codes: list[str]) -> None:
    found = judge_answer(CREATE, answer)
    assert [f.code for f in found] == codes
    assert all(f.where == "customers.create" for f in found)


def test_a_server_error_shows_request_answer_and_the_apps_own_line() -> None:
    stack = "Error: boom\n at q (/app/node_modules/pg/x.js:1:1)\n at /app/server/router.ts:12:3"
    found = judge_answer(CREATE, trpc_error(500, "INTERNAL_SERVER_ERROR", "boom", stack))
    assert "POST /trpc/customers.create {}" in found[0].excerpt
    assert "at server/router.ts:12" in found[0].excerpt


def test_a_server_error_that_hides_its_cause_shows_the_apps_log() -> None:
    answer = trpc_error(500, "INTERNAL_SERVER_ERROR", "Something went wrong on the server.")
    (found,) = judge_answer(CREATE, answer)
    log = "x\ncustomers.create failed: Error: boom\n    at f (file:///app/server/a.ts:4:2)\n"
    told = with_cause(found, log)
    assert "at server/a.ts:4" in told.excerpt and "Error: boom" in told.excerpt
    assert told.fingerprint == found.fingerprint


def test_a_declared_table_must_exist() -> None:
    found = judge_tables(["customers", "notes"], {}, {"customers": ["id"]})
    assert [(f.where, f.code) for f in found] == [("notes", "missing-table")]


def subject(files: dict[str, str], scaffold: dict[str, str] | None = None) -> Subject:
    request = GateRequest(
        run="bld_x.1",
        project=ProjectId("crm-x7k2p"),
        build=BuildId("bld_x"),
        app=AppSlug("web"),
        app_path=".",
        commit=CommitId("0" * 40),
        base=None,
        contract=Contract(),
    )
    return Subject(request, files, None, scaffold or {}, Path("/nowhere"))


def test_a_crash_names_the_apps_file_and_a_failed_migration_its_line() -> None:
    crash = WorkloadCrashed("exit code 1", log="file:///app/server/main.ts:9\nSyntaxError: x")
    found = judge_crash(crash)
    assert (found.where, found.line, found.code) == ("server/main.ts", 9, "app-crashed")
    path = "db/migrations/0001_a.sql"
    failed = judge_migration(
        MigrationFailed("syntax error", path=path, line=2), subject({path: "one\ntwo\n"})
    )
    assert (failed.where, failed.line, failed.excerpt) == (path, 2, "two")


def test_a_source_file_that_is_still_the_scaffolds_placeholder_is_named() -> None:
    home = "<p>Nothing has been built here yet.</p>"
    scaffold = {"src/pages/HomePage.tsx": home, "src/format.ts": "same"}
    found = list(untouched_files(subject(scaffold, scaffold)))
    assert [f.where for f in found] == ["src/pages/HomePage.tsx"]
    assert list(untouched_files(subject({"src/pages/HomePage.tsx": "mine"}, scaffold))) == []


# Pages.

GOOD = PageReport(
    path="/customers",
    status=200,
    title="t",
    text="Customers",
    visible_elements=9,
    console=(ConsoleEntry(level="warning", text="w"), ConsoleEntry(level="info", text="i")),
    failed_requests=(),
    timed_out=False,
    screenshot="",
    elapsed_s=0.1,
)


def page_codes(**changes: object) -> list[str]:
    return [f.code for f in judge_page(GOOD.model_copy(update=changes), "src/P.tsx", "")]


def test_a_page_is_judged_by_what_a_user_would_meet() -> None:
    url = "http://app.localhost/x.png"
    assert page_codes() == []
    assert page_codes(visible_elements=0) == ["blank-page"]
    assert page_codes(extras={"root_empty": True}) == ["blank-page"]
    assert page_codes(extras={"main_empty": True}) == ["blank-page"]
    assert page_codes(text="There is no page at this address.") == ["missing-page"]
    assert page_codes(timed_out=True) == ["page-timeout"]
    assert page_codes(status=500) == ["page-status"]
    assert page_codes(text="Nothing has been built here yet.") == ["placeholder"]
    assert page_codes(extras={"error_boundary": "Something went wrong"}) == ["error-boundary"]
    failed = (FailedRequest(method="GET", url=url, status=404),)
    echo = (ConsoleEntry(level="error", text="Failed to load resource: 404", source=url + ":1"),)
    assert page_codes(failed_requests=failed, console=echo) == ["request-failed"]


def test_a_page_error_names_the_source_file_whatever_host_and_cache_buster() -> None:
    text = "Error: no\n    at Home (http://app.localhost/src/pages/Home.tsx?t=17:12:9)"
    report = GOOD.model_copy(update={"console": (ConsoleEntry(level="pageerror", text=text),)})
    (found,) = judge_page(report, "", "")
    assert found.code == "page-error" and found.message == "Error: no"
    assert found.excerpt.startswith("file: src/pages/Home.tsx")


def test_the_file_behind_a_page_is_read_off_the_route_table() -> None:
    table = (
        'import { HomePage } from "./pages/HomePage.tsx";\n'
        'import { EditPage, NewPage } from "./pages/CustomerForm.tsx";\n'
        'import Customers from "./pages/Customers.tsx";\n'
        '<Route path="/" component={HomePage} />\n'
        '<Route path="/customers" component={Customers} />\n'
        '<Route path="/customers/new" component={NewPage} />\n'
        '<Route path="/customers/:id" component={EditPage} />\n'
    )
    assert page_source("/customers", {"src/App.tsx": table}) == "src/pages/Customers.tsx"
    assert page_source("/", {"src/App.tsx": table}) == "src/pages/HomePage.tsx"
    assert page_source("/customers/7", {"src/App.tsx": table}) == "src/pages/CustomerForm.tsx"
    assert page_source("/else", {"src/App.tsx": table}) == "src/App.tsx"


def test_pages_are_browsed_only_when_browser_files_changed() -> None:
    assert browser_files_changed(None)
    assert browser_files_changed(frozenset({"src/App.tsx"}))
    assert not browser_files_changed(frozenset({"server/router.ts", "README.md"}))
    assert picture_path(Path("/a"), "/").name == "home.png"
    assert picture_path(Path("/a"), "/customers/1?x=../..").name == "customers-1-x.png"


# Evidence.


def test_evidence_is_bounded_and_doubles_are_dropped() -> None:
    assert len(excerpt("x" * 10_000)) == MAX_EXCERPT_CHARS
    many = [finding("a", "c", f"m{i}") for i in range(50)]
    result = judged(CheckName.TESTS, [*many, *many], 0.0)
    assert result.outcome is CheckOutcome.FAILED
    assert len(result.findings) == MAX_FINDINGS and "30 more" in result.note
    assert judged(CheckName.TESTS, [], 0.0).outcome is CheckOutcome.PASSED


def test_library_frames_are_left_out_of_a_stack() -> None:
    stack = "Error: x\n    at q (/app/node_modules/pg/i.js:4:1)\n    at f (/app/server/a.ts:3:1)"
    assert finding("a", "c", "m", shown=stack).excerpt == (
        "Error: x\n    at f (/app/server/a.ts:3:1)"
    )


def test_an_apps_own_file_is_found_in_a_stack_and_a_library_is_not() -> None:
    assert app_place("at x (file:///app/server/a.ts:3:1)") == ("server/a.ts", 3)
    assert app_place("at /app/node_modules/vite/src/x.js:1:1") == ("", 0)
    assert app_place("\x1b[36m ❯\x1b[22m tests/setup.ts:\x1b[2m1:57") == ("tests/setup.ts", 1)


def test_a_twin_is_named_after_its_run_short_and_alike_every_time() -> None:
    first = subject({}).request
    twin = twin_of(first)
    assert twin == twin_of(first)
    assert twin.name.startswith("t-bld-x-1-") and len(twin.name) <= 34
    other = twin_of(first.model_copy(update={"run": "bld.x_1"}))
    assert other.name != twin.name
