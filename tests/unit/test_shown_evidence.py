"""What `appfleet show` prints of the gate: findings, screenshots, why a check was not run."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from fleet.cli.progress import Places, show_result
from fleet.domain.build import Build, BuildState
from fleet.domain.chat import Usage
from fleet.domain.ids import AppSlug, BuildId, CommitId, MessageId, ProjectId, TaskId
from fleet.domain.plan import Contract, Plan, PlannedTask
from fleet.domain.verdict import CheckName, CheckOutcome, CheckResult, Finding, Verdict
from fleet.ports import RecordedVerdict
from serve.chat.results import AppView, BuildRecord, build_result

PROJECT = ProjectId("crm-abcde")
AT = datetime(2026, 1, 1, tzinfo=UTC)
FOLDER = f"{PROJECT}/bld_x.1.1"


def shown(tmp_path: Path, *results: CheckResult, cached_from: str = "") -> str:
    contract = Contract(procedures=(), tables=(), pages=("/", "/customers"))
    plan = Plan(
        title="CRM",
        summary="",
        tasks=(PlannedTask(title="t", instructions="i"),),
        contract=contract,
    )
    build = Build(
        id=BuildId("bld_x"),
        project=PROJECT,
        message=MessageId("msg_x"),
        text="a CRM",
        model=None,
        state=BuildState.FAILED,
        plan=plan,
        base=None,
        commit=None,
        explanation="It did not pass.",
        usage=Usage(),
        created_at=AT,
        started_at=AT,
        finished_at=AT,
    )
    verdict = Verdict(commit=CommitId("c"), results=results, elapsed_s=1.0, cached_from=cached_from)
    recorded = RecordedVerdict(task=TaskId("tsk_x"), attempt=1, verdict=verdict, at=AT)
    record = BuildRecord(build=build, tasks=[], steps=[], verdicts=[recorded])
    app = AppView(slug=AppSlug("web"), preview_url="http://web")
    result = build_result(record, app, AT).model_dump(mode="json")
    console = Console(file=StringIO(), width=200)
    show_result(console, result, Places("http://localhost:7700", tmp_path))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def browse(outcome: CheckOutcome, *findings: Finding) -> CheckResult:
    pictures = (f"{FOLDER}/home.png", f"{FOLDER}/customers.png")
    return CheckResult(
        check=CheckName.BROWSE, outcome=outcome, findings=findings, artefacts=pictures
    )


def test_each_page_is_shown_with_its_screenshots_url_and_file(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "customers.png").write_bytes(b"png")
    finding = Finding(where="/customers", code="blank-page", message="the page is blank.")
    text = shown(tmp_path, browse(CheckOutcome.FAILED, finding))
    assert "✗ browse" in text
    assert "/customers the page is blank." in text
    url = f"http://localhost:7700/v1/projects/{PROJECT}/artefacts/bld_x.1.1"
    assert f"/  {url}/home.png\n" in text
    assert "customers.png" in text
    assert all(len(line) <= 120 for line in text.splitlines())


def test_a_picture_has_one_place_the_file_where_that_is_the_shorter(tmp_path: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="af", dir="/tmp"))
    (folder / FOLDER).mkdir(parents=True)
    (folder / FOLDER / "customers.png").write_bytes(b"png")
    text = shown(folder, browse(CheckOutcome.PASSED))
    assert f"/customers  {folder}/{FOLDER}/customers.png\n" in text
    assert text.count("customers.png") == 1 and text.count("home.png") == 1


@pytest.mark.parametrize(
    ("finding", "told"),
    [
        (
            Finding(where="a.ts", code="TS1", message="No.", line=9, excerpt="\nlet x = 1;\ny"),
            "a.ts:9 No.\n        let x = 1;\n",
        ),
        (
            Finding(
                where="a.list",
                code="server-error",
                message="HTTP 500: Something went wrong.",
                excerpt="GET a.list\n→ HTTP 500\nlog: error: no column b\n  at x.ts:1",
            ),
            "a.list HTTP 500: Something went wrong.\n        log: error: no column b\n",
        ),
        (
            Finding(where="/", code="blank", message="It is blank.", excerpt="It is blank."),
            "blank.",
        ),
    ],
)
def test_a_finding_tells_its_line_and_the_reason_its_message_hides(
    tmp_path: Path, finding: Finding, told: str
) -> None:
    text = shown(tmp_path, browse(CheckOutcome.FAILED, finding))
    assert told in text and text.count("It is blank.") <= 1


def test_nothing_repeats_the_projects_heading(tmp_path: Path) -> None:
    text = shown(tmp_path, browse(CheckOutcome.PASSED))
    assert text.startswith("\nbuild bld_x  failed in 0.0 s\n")
    assert text.count("bld_x  ") == 1 and f"project {PROJECT}" not in text


def test_a_check_that_was_cut_or_not_run_says_why(tmp_path: Path) -> None:
    cut = CheckResult(check=CheckName.TESTS, outcome=CheckOutcome.CUT, note="red already")
    unrun = CheckResult(check=CheckName.BROWSE, outcome=CheckOutcome.NOT_RUN, note="no Chromium")
    text = shown(tmp_path, cut, unrun)
    assert "… tests" in text
    assert "red already" in text
    assert "? browse" in text
    assert "no Chromium" in text


def test_a_remembered_verdict_names_the_run_that_judged(tmp_path: Path) -> None:
    text = shown(tmp_path, browse(CheckOutcome.PASSED), cached_from="bld_w.1.2")
    assert "nothing had changed: judged by bld_w.1.2" in text
    assert "✓ browse     (unchanged, judged before)" in text
    afresh = shown(tmp_path, browse(CheckOutcome.PASSED))
    assert "nothing had changed" not in afresh and "0.00 s" in afresh
