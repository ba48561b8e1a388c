"""What a gate run keeps: remembered verdicts, artefacts, and places in a bundle told as sources."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fleet.domain.ids import AppSlug, BuildId, CommitId, ProjectId, WorkloadId
from fleet.domain.page import ConsoleEntry, PageReport, PageVisit
from fleet.domain.plan import Contract
from fleet.domain.verdict import (
    CheckName,
    CheckOutcome,
    CheckResult,
    Finding,
    GateRequest,
    Verdict,
    VerdictState,
)
from fleet.domain.workload import Command, CommandResult
from fleet.verification import artefacts
from fleet.verification.bundle import SourceMappedBrowser, judge_bundle
from fleet.verification.memory import recalled, verdict_key, worth_remembering

PROJECT = ProjectId("crm-abcde")
REQUEST = GateRequest(
    run="bld_a.1.1",
    project=PROJECT,
    build=BuildId("bld_a"),
    app=AppSlug("web"),
    app_path=".",
    commit=CommitId("c1"),
    base=None,
    contract=Contract(procedures=(), tables=("customers",), pages=("/",)),
)


def key(
    request: GateRequest = REQUEST, tree: str = "t", data: str = "d", scaffold: str = "s"
) -> str:
    return verdict_key(request, tree, frozenset({"src/App.tsx"}), scaffold, data)


def verdict(*outcomes: CheckOutcome, code: str = "x") -> Verdict:
    found = Finding(where="src/A.tsx", code=code, message="m")
    results = tuple(
        CheckResult(check=c, outcome=o, findings=(found,) if o is CheckOutcome.FAILED else ())
        for c, o in zip(CheckName, outcomes, strict=False)
    )
    return Verdict(commit=CommitId("c1"), results=results, elapsed_s=2.0)


def test_runs_of_the_same_inputs_share_a_key_and_others_do_not() -> None:
    again = REQUEST.model_copy(update={"run": "bld_b.2.1", "commit": CommitId("c2")})
    assert key(again) == key()
    promised = REQUEST.model_copy(update={"contract": Contract(tables=("deals",))})
    moved = REQUEST.model_copy(update={"app_path": "apps/web"})
    others = [key(promised), key(moved), key(tree="u"), key(data="e"), key(scaffold="z")]
    others.append(verdict_key(REQUEST, "t", None, "s", "d"))
    assert len({key(), *others}) == 1 + len(others)


@pytest.mark.parametrize(
    ("judged", "worth"),
    [
        (verdict(CheckOutcome.PASSED, CheckOutcome.SKIPPED), True),
        (verdict(CheckOutcome.FAILED, CheckOutcome.BLOCKED), True),
        (verdict(CheckOutcome.FAILED, CheckOutcome.CUT), False),
        (verdict(CheckOutcome.PASSED, CheckOutcome.NOT_RUN), False),
        (verdict(CheckOutcome.FAILED, CheckOutcome.NOT_RUN), False),
        (verdict(CheckOutcome.FAILED, code="tests-timeout"), False),
        (verdict(), False),
    ],
)
def test_only_what_was_judged_whole_is_remembered(judged: Verdict, worth: bool) -> None:
    assert worth_remembering(judged) is worth


@pytest.mark.parametrize(
    ("judged", "state"),
    [
        (verdict(CheckOutcome.PASSED, CheckOutcome.NOT_RUN), VerdictState.NOT_VERIFIED),
        (verdict(CheckOutcome.PASSED, CheckOutcome.CUT), VerdictState.NOT_VERIFIED),
        (verdict(CheckOutcome.SKIPPED), VerdictState.NOT_VERIFIED),
        (verdict(CheckOutcome.FAILED, CheckOutcome.NOT_RUN), VerdictState.RED),
        (verdict(CheckOutcome.PASSED, CheckOutcome.SKIPPED), VerdictState.GREEN),
    ],
)
def test_what_was_not_run_is_never_green(judged: Verdict, state: VerdictState) -> None:
    assert judged.state is state
    assert judged.green is (state is VerdictState.GREEN)


def test_a_recalled_verdict_names_the_commit_it_is_asked_about() -> None:
    kept = verdict(CheckOutcome.PASSED).model_copy(update={"cached_from": "bld_z.1.1"})
    asked = REQUEST.model_copy(update={"commit": CommitId("c9")})
    told = recalled(kept, asked, 0.01)
    assert (told.commit, told.cached_from, told.elapsed_s) == ("c9", "bld_z.1.1", 0.01)
    assert [(k.recalled, t.recalled) for k, t in zip(kept.results, told.results, strict=True)] == [
        (False, True)
    ]


def test_a_red_checks_log_is_a_bounded_file_that_its_findings_name(tmp_path: Path) -> None:
    folder = artefacts.run_folder(tmp_path, PROJECT, "bld_a.1.1")
    (red,) = verdict(CheckOutcome.FAILED).results
    told = artefacts.with_log(red, folder, "\x1b[31mlong\x1b[0m " + "x" * 2_000_000)
    path = f"{PROJECT}/bld_a.1.1/tsc.log"
    assert told.artefacts == (path,)
    assert told.findings[0].artefact == path
    assert (tmp_path / path).stat().st_size <= artefacts.MAX_LOG_BYTES + 1
    (green,) = verdict(CheckOutcome.PASSED).results
    assert artefacts.with_log(green, folder, "log") == green


def test_artefacts_that_are_gone_are_no_longer_named(tmp_path: Path) -> None:
    (red,) = verdict(CheckOutcome.FAILED).results
    folder = artefacts.run_folder(tmp_path, PROJECT, "bld_a.1.1")
    told = artefacts.with_log(red, folder, "log")
    assert artefacts.forget_missing(told, tmp_path) == told
    (tmp_path / told.artefacts[0]).unlink()
    assert artefacts.forget_missing(told, tmp_path) == red


def test_the_folders_of_old_builds_go_and_all_of_a_kept_build_stay(tmp_path: Path) -> None:
    count = artefacts.KEPT_BUILDS + 3
    for number in range(count):
        for attempt in (1, 2):
            folder = artefacts.run_folder(tmp_path, PROJECT, f"bld_{number:02}.1.{attempt}")
            folder.mkdir(parents=True)
            os.utime(folder, (number, number))
    current = BuildId("bld_00")  # the oldest, and just at work
    assert artefacts.prune(tmp_path, PROJECT, current) == ["bld_01", "bld_02", "bld_03"]
    left = {f.name for f in (tmp_path / PROJECT).iterdir()}
    assert {"bld_00.1.1", "bld_00.1.2", "bld_04.1.2"} <= left
    assert len(left) == 2 * artefacts.KEPT_BUILDS
    assert artefacts.prune(tmp_path, PROJECT, current) == []


def bundled(*errors: dict[str, object], code: int | None = 0, stderr: str = "") -> list[Finding]:
    line = json.dumps({"bundleErrors": errors}, separators=(",", ":"))
    out = f"noise\n{line}\n" if code == 0 else "noise"
    return judge_bundle(CommandResult(exit_code=code, stdout=out, stderr=stderr, elapsed_s=1.0))


def test_an_error_of_the_bundle_names_file_and_line() -> None:
    assert bundled() == []
    message = (
        "\x1b[31m[UNRESOLVED_IMPORT] \x1b[0mCould not resolve './pages/Nope.tsx' in src/App.tsx\n"
        "   ╭─[ src/App.tsx:3:22 ]"
    )
    (found,) = bundled({"file": "/app/src/App.tsx", "line": 3, "code": "", "message": message})
    assert (found.where, found.line, found.code) == ("src/App.tsx", 3, "build-error")
    assert found.message == "Could not resolve './pages/Nope.tsx' in src/App.tsx"
    (placed,) = bundled({"message": "[builtin] Unexpected token\n  ╭─[ src/App.tsx:7:1 ]"})
    assert (placed.where, placed.line) == ("src/App.tsx", 7)


def test_a_bundler_that_breaks_is_told_with_its_output() -> None:
    (found,) = bundled(code=1, stderr="Error: no plugin")
    assert (found.where, found.code) == ("vite.config.ts", "bundle-failed")
    assert "no plugin" in found.excerpt


class OnePage:
    def __init__(self, report: PageReport) -> None:
        self._report = report

    async def visit(self, visit: PageVisit) -> PageReport:
        return self._report

    async def close(self) -> None: ...


class Answers:
    def __init__(self, answer: str) -> None:
        self.asked: list[object] = []
        self._answer = answer

    async def execute(self, workload: WorkloadId, command: Command) -> CommandResult:
        self.asked += json.loads(command.env["FRAMES"])
        return CommandResult(exit_code=0, stdout=self._answer, stderr="", elapsed_s=0.1)


def page(text: str, source: str = "") -> PageReport:
    return PageReport(
        path="/",
        status=200,
        title="",
        text="",
        visible_elements=1,
        console=(ConsoleEntry(level="pageerror", text=text, source=source),),
        failed_requests=(),
        timed_out=False,
        screenshot="",
        elapsed_s=0.1,
    )


async def seen(report: PageReport, sandbox: Answers) -> PageReport:
    browser = SourceMappedBrowser(OnePage(report), sandbox, WorkloadId("t"))
    return await browser.visit(PageVisit(socket="s", path="/"))


async def test_frames_of_the_bundle_become_places_in_the_source() -> None:
    host = "http://app.localhost"
    bundle = f"{host}/assets/index.js"
    stack = f"Error: x\n    at Page ({bundle}:10:5)\n    at y ({bundle}:9:1)"
    sandbox = Answers('{"frames":[["src/pages/Page.tsx",4],null,["src/main.tsx",2]]}')
    report = await seen(page(stack, f"{host}/assets/index.js:77"), sandbox)
    (entry,) = report.console
    assert f"at Page ({host}/src/pages/Page.tsx:4)" in entry.text
    assert f"{host}/assets/index.js:9:1" in entry.text
    assert entry.source == f"{host}/src/main.tsx:2"
    assert sandbox.asked[0] == ["assets/index.js", 10, 5]


async def test_a_page_without_frames_asks_for_no_map() -> None:
    sandbox = Answers("never")
    report = page("Error: plain")
    assert await seen(report, sandbox) == report
    assert sandbox.asked == []
