"""Check `tests`: the app's own vitest suite, with a test executed for every declared procedure.

A test counts only if it asserted something that could fail, and a procedure only if a test that
names it called it. Where the suite's text gives cause, it is run again in reverse order and under
another clock.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from fleet.domain.ids import WorkloadId
from fleet.domain.plan import Procedure
from fleet.domain.verdict import CheckName, CheckResult, Finding
from fleet.domain.workload import Command, CommandResult
from fleet.ports import Clock
from fleet.verification.evidence import app_place, finding, judged, plain, skipped
from fleet.verification.sandbox import Executes
from fleet.verification.subject import Subject
from fleet.verification.suite import NO_SUITE, TEST_FILE, Suite, read_suite

_FOLDER = Path(__file__).parent
VITEST = Command(
    argv=(
        "node",
        "--input-type=module",
        "-e",
        (_FOLDER / "run_vitest.mjs").read_text("utf-8"),
        (_FOLDER / "vitest_runner.mjs").read_text("utf-8"),
    ),
    max_output_bytes=4_000_000,
)
_REPORT_START = '{"numTotalTestSuites"'
_OTHER_LINES = ('{"unhandledErrors"', '{"failedAgain"', '{"stuck"')
_PASSED, _FAILED = "passed", "failed"
_SUITE = "tests"  # `where` of a finding about the suite as a whole


class _Vendor(BaseModel):
    """A part of vitest's JSON report, as far as it is read."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Location(_Vendor):
    line: int = 0


class Meta(_Vendor):
    """What our runner noted; None where it could not."""

    asserted: int | None = None
    called: tuple[str, ...] | None = None


class Assertion(_Vendor):
    name: str = Field(alias="fullName")
    status: str
    failures: tuple[str, ...] | None = Field(default=None, alias="failureMessages")
    location: Location | None = None
    meta: Meta = Meta()

    @property
    def line(self) -> int:
        return self.location.line if self.location else 0

    @property
    def failure(self) -> str:
        return plain("\n".join(self.failures or ()))


class TestFile(_Vendor):
    __test__ = False  # its name is no invitation to pytest

    name: str
    status: str
    message: str = ""
    assertions: tuple[Assertion, ...] = Field(default=(), alias="assertionResults")

    @property
    def path(self) -> str:
        return self.name.removeprefix("/app/")


class Place(_Vendor):
    """A test that never ended. Without a name, its file did not even load."""

    file: str
    name: str = ""
    line: int = 0

    @property
    def path(self) -> str:
        return self.file.removeprefix("/app/")


class Relapse(Place):
    """A test that passed, and failed in another order or under another clock."""

    kind: Literal["order", "clock"]
    failure: str = ""


class SuiteReport(_Vendor):
    """`files` is None when there is no whole report.

    `unhandled` are the stacks of errors thrown outside of any test.
    """

    files: tuple[TestFile, ...] | None = Field(default=None, alias="testResults")
    unhandled: tuple[str, ...] = Field(default=(), alias="unhandledErrors")
    relapses: tuple[Relapse, ...] = Field(default=(), alias="failedAgain")
    stuck: Place | None = None


def parse_vitest(output: str) -> SuiteReport:
    # The app may print before and after; each part of the report is one line.
    parts: dict[str, object] = {}
    for line in output.splitlines():
        if line.startswith((_REPORT_START, *_OTHER_LINES)):
            try:
                parts |= json.loads(line)
            except ValueError:  # cut off in the middle
                continue
    try:
        return SuiteReport.model_validate(parts)
    except ValueError:  # the app prints lines of this kind itself
        return SuiteReport()


def judge_tests(
    result: CommandResult, procedures: Sequence[Procedure], suite: Suite = NO_SUITE
) -> list[Finding]:
    """Judges one run of run_vitest.mjs over the suite that was read as `suite`."""
    report = parse_vitest(result.stdout)
    if report.stuck is not None:
        return [_judge_stuck(report.stuck)]
    if report.files is None:
        return [_judge_absence(result)]
    findings = [f for file in report.files for f in _judge_file(file, suite)]
    findings += [_judge_unhandled(stack) for stack in report.unhandled]
    executed = [
        (file.path, test)
        for file in report.files
        for test in file.assertions
        if test.status in (_PASSED, _FAILED)
    ]
    if not executed and not findings:
        path, line = app_place(result.stderr)
        message = "the suite executed no test."
        findings.append(
            finding(path or _SUITE, "no-tests", message, line=line, shown=result.stderr)
        )
    left_out = sorted(suite.cases.keys() - {file.path for file in report.files})
    findings += [
        finding(path, "test-file-not-run", "vitest does not run this file; see vitest.config.cjs.")
        for path in left_out
    ]
    for procedure in procedures:
        findings += _judge_coverage(procedure.name, executed)
    findings += [f for relapse in report.relapses for f in _judge_relapse(relapse, suite)]
    # None: the deadline ended the extra runs, and the suite itself had passed before.
    if result.exit_code not in (0, None) and not findings:
        message = f"every test passed, but vitest ended with exit code {result.exit_code}."
        findings.append(finding(_SUITE, "vitest-failed", message, shown=result.stderr))
    return findings


def _judge_absence(result: CommandResult) -> Finding:
    late = result.exit_code is None
    why = (
        f"the suite did not finish within {result.elapsed_s:.0f} s."
        if late
        else f"vitest ended with exit code {result.exit_code} and no report."
    )
    output = result.stderr or result.stdout
    path, line = app_place(output)
    code = "tests-timeout" if late else "vitest-failed"
    return finding(path or _SUITE, code, why, line=line, shown=output)


def _judge_stuck(place: Place) -> Finding:
    what = f"{place.name}: never ends" if place.name else "the file never finishes loading"
    message = f"{what}, and never lets another test run. Is there a loop without an end?"
    return finding(place.path, "test-never-ends", message, line=place.line)


def _judge_coverage(procedure: str, executed: Sequence[tuple[str, Assertion]]) -> Iterator[Finding]:
    """A test vouches for the procedures that it names and calls."""
    naming = [(path, test) for path, test in executed if names(procedure, test.name)]
    if not naming:
        message = f"no executed test has {procedure!r} in its name."
        yield finding(procedure, "untested-procedure", message)
    elif all(t.meta.called is not None and procedure not in t.meta.called for _, t in naming):
        message = f"tests have {procedure!r} in their names, but none of them calls it."
        shown = "\n".join(f"{path}:{test.line} {test.name}" for path, test in naming[:4])
        yield finding(procedure, "uncalled-procedure", message, shown=shown)


def _judge_relapse(relapse: Relapse, suite: Suite) -> Iterator[Finding]:
    if relapse.kind == "clock" and suite.mixes_clocks(relapse.path, relapse.line):
        return
    why = {
        "order": "passes only after the tests before it; each test must make what it needs",
        "clock": "passes only at some times (it failed on another date); give it a fixed moment",
    }[relapse.kind]
    code = {"order": "order-dependent", "clock": "time-dependent"}[relapse.kind]
    message = f"{relapse.name}: {why}."
    yield finding(relapse.path, code, message, line=relapse.line, shown=relapse.failure)


def _judge_unhandled(stack: str) -> Finding:
    path, line = app_place(stack)
    first = plain(stack).strip().split("\n", 1)[0]
    message = f"an error outside of any test: {first}"
    return finding(path or _SUITE, "unhandled-error", message, line=line, shown=stack)


def names(procedure: str, test: str) -> bool:
    """Whether a test's full name contains the dotted path as a whole word."""
    return re.search(rf"(?<![\w$.]){re.escape(procedure)}(?![\w$]|\.\w)", test) is not None


def _judge_file(file: TestFile, suite: Suite) -> Iterator[Finding]:
    if file.status == _FAILED and not any(a.status == _FAILED for a in file.assertions):
        path, line = app_place(file.message)
        first = plain(file.message).strip().split("\n", 1)[0]
        message = f"the file cannot be run: {first}"
        own_line = line if path == file.path else 0
        yield finding(file.path, "test-file-failed", message, line=own_line, shown=file.message)
    for test in file.assertions:
        if test.status == _FAILED:
            first = test.failure.strip().split("\n", 1)[0]
            yield finding(
                file.path,
                "test-failed",
                f"{test.name}: {first}",
                line=_failing_line(file.path, test),
                shown=test.failure,
            )
        elif test.status != _PASSED:
            yield finding(
                file.path,
                "test-skipped",
                f"{test.name}: not executed ({test.status}); every test must run.",
                line=test.line,
            )
        else:
            yield from _judge_worth(file.path, test, suite)


def _judge_worth(path: str, test: Assertion, suite: Suite) -> Iterator[Finding]:
    """A test that passed must have asserted something that could have failed."""
    asserted, case = test.meta.asserted, suite.case(path, test.line)
    if case is not None and case.inverted:
        message = (
            f"{test.name}: is said to fail, and so passes only while it does; mend and expect."
        )
        yield finding(path, "inverted-test", message, line=test.line)
        return
    if asserted is None or path in suite.uncounted:
        return
    if asserted == 0:
        message = f"{test.name}: passed without a single assertion; expect what it should find."
        yield finding(path, "no-assertion", message, line=test.line)
    elif case is not None and (asserted <= case.idle or case.all_idle):
        message = f"{test.name}: asserts nothing that could fail; expect what the app answers."
        yield finding(path, "idle-assertion", message, line=test.line, shown=case.idle_text)


def _failing_line(path: str, test: Assertion) -> int:
    match = re.search(rf"{re.escape(path)}:(\d+)", test.failure)
    if match:
        return int(match[1])
    return test.line


async def check_tests(
    subject: Subject, runtime: Executes, workload: WorkloadId, clock: Clock
) -> CheckResult:
    procedures = subject.request.contract.procedures
    if not procedures and not any(TEST_FILE.search(path) for path in subject.files):
        return skipped(CheckName.TESTS, "The contract has no procedures and there are no tests.")
    started = clock.monotonic()
    suite = await asyncio.to_thread(read_suite, subject.files, subject.scaffold)
    passes = [
        kind for kind, cause in (("order", suite.by_order), ("clock", suite.by_clock)) if cause
    ]
    command = VITEST.model_copy(update={"env": {"EXTRA_PASSES": ",".join(passes)}})
    result = await runtime.execute(workload, command)
    findings = judge_tests(result, procedures, suite)
    return judged(CheckName.TESTS, findings, clock.monotonic() - started)
