"""Check `tests`: the app's own vitest suite, with a test executed for every declared procedure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from fleet.domain.ids import WorkloadId
from fleet.domain.plan import Procedure
from fleet.domain.verdict import CheckName, CheckResult, Finding
from fleet.domain.workload import Command, CommandResult
from fleet.ports import Clock, Runtime
from fleet.verification.evidence import app_place, finding, judged, plain, skipped
from fleet.verification.subject import Subject

VITEST = Command(
    argv=(
        "node",
        "--input-type=module",
        "-e",
        (Path(__file__).parent / "run_vitest.mjs").read_text("utf-8"),
    ),
    timeout_s=60.0,
    max_output_bytes=4_000_000,
)
_TEST_FILE = re.compile(r"\.(test|spec)\.[cm]?[jt]sx?$")
_REPORT_START = '{"numTotalTestSuites"'
_UNHANDLED_START = '{"unhandledErrors"'
_PASSED, _FAILED = "passed", "failed"
_SUITE = "tests"  # `where` of a finding about the suite as a whole


class _Vendor(BaseModel):
    """A part of vitest's JSON report, as far as it is read."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Location(_Vendor):
    line: int = 0


class Assertion(_Vendor):
    name: str = Field(alias="fullName")
    status: str
    failures: tuple[str, ...] | None = Field(default=None, alias="failureMessages")
    location: Location | None = None

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


class SuiteReport(_Vendor):
    """`unhandled` are the stacks of errors thrown outside of any test."""

    files: tuple[TestFile, ...] = Field(alias="testResults")
    unhandled: tuple[str, ...] = Field(default=(), alias="unhandledErrors")


def parse_vitest(output: str) -> SuiteReport | None:
    """None when the output holds no whole report."""
    # The app may print before and after; each part of the report is one line.
    lines = output.splitlines()
    report = next((line for line in reversed(lines) if line.startswith(_REPORT_START)), None)
    errors = next((line for line in reversed(lines) if line.startswith(_UNHANDLED_START)), "{}")
    if report is None:
        return None
    try:
        return SuiteReport.model_validate({**json.loads(report), **json.loads(errors)})
    except ValueError:  # cut off in the middle
        return None


def judge_tests(result: CommandResult, procedures: Sequence[Procedure]) -> list[Finding]:
    """Judges one `vitest run --reporter=json`."""
    report = parse_vitest(result.stdout)
    if report is None:
        late = result.exit_code is None
        why = (
            f"the suite did not finish within {VITEST.timeout_s:.0f} s."
            if late
            else f"vitest ended with exit code {result.exit_code} and no report."
        )
        output = result.stderr or result.stdout
        path, line = app_place(output)
        code = "tests-timeout" if late else "vitest-failed"
        return [finding(path or _SUITE, code, why, line=line, shown=output)]
    findings = [f for file in report.files for f in _judge_file(file)]
    executed = [
        a.name for f in report.files for a in f.assertions if a.status in (_PASSED, _FAILED)
    ]
    findings += [_judge_unhandled(stack) for stack in report.unhandled]
    if not executed and not findings:
        path, line = app_place(result.stderr)
        message = "the suite executed no test."
        findings.append(
            finding(path or _SUITE, "no-tests", message, line=line, shown=result.stderr)
        )
    findings += [
        finding(
            procedure.name,
            "untested-procedure",
            f"no executed test has {procedure.name!r} in its name.",
        )
        for procedure in procedures
        if not any(names(procedure.name, test) for test in executed)
    ]
    if result.exit_code != 0 and not findings:
        message = f"every test passed, but vitest ended with exit code {result.exit_code}."
        findings.append(finding(_SUITE, "vitest-failed", message, shown=result.stderr))
    return findings


def _judge_unhandled(stack: str) -> Finding:
    path, line = app_place(stack)
    first = plain(stack).strip().split("\n", 1)[0]
    message = f"an error outside of any test: {first}"
    return finding(path or _SUITE, "unhandled-error", message, line=line, shown=stack)


def names(procedure: str, test: str) -> bool:
    """Whether a test's full name contains the dotted path as a whole word."""
    return re.search(rf"(?<![\w$.]){re.escape(procedure)}(?![\w$]|\.\w)", test) is not None


def _judge_file(file: TestFile) -> Iterator[Finding]:
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
                line=test.location.line if test.location else 0,
            )


def _failing_line(path: str, test: Assertion) -> int:
    match = re.search(rf"{re.escape(path)}:(\d+)", test.failure)
    if match:
        return int(match[1])
    return test.location.line if test.location else 0


async def check_tests(
    subject: Subject, runtime: Runtime, workload: WorkloadId, clock: Clock
) -> CheckResult:
    procedures = subject.request.contract.procedures
    if not procedures and not any(_TEST_FILE.search(path) for path in subject.files):
        return skipped(CheckName.TESTS, "The contract has no procedures and there are no tests.")
    started = clock.monotonic()
    result = await runtime.execute(workload, VITEST)
    return judged(CheckName.TESTS, judge_tests(result, procedures), clock.monotonic() - started)
