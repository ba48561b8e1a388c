"""Check `typescript`: the compiler over the app, what it was kept from seeing, and the imports."""

from __future__ import annotations

import asyncio
import re

from fleet.domain.ids import WorkloadId
from fleet.domain.verdict import CheckName, CheckResult, Finding
from fleet.domain.workload import Command, CommandResult
from fleet.ports import Clock
from fleet.verification.evidence import excerpt, finding, judged, plain
from fleet.verification.imports import examine_imports
from fleet.verification.sandbox import Executes
from fleet.verification.strictness import examine_strictness
from fleet.verification.subject import Subject
from fleet.verification.tsconfig import TSCONFIG

# One thread: beside the other checks a second one only makes all of them later. Nor does a process
# that ends in a second collect garbage before it must (the limit is a soft one).
TSC = Command(
    argv=("tsc", "--noEmit", "--pretty", "false", "--singleThreaded"),
    env={"GOMAXPROCS": "1", "GOGC": "off", "GOMEMLIMIT": "400MiB"},
    database=False,
    max_output_bytes=256_000,
)
_DIAGNOSTIC = re.compile(r"^(.+?)\((\d+),(\d+)\): error (TS\d+): (.*)$")
_GLOBAL = re.compile(r"^error (TS\d+): (.*)$")


def parse_tsc(output: str) -> list[Finding]:
    """`--pretty false` output; indented lines continue the diagnostic above them."""
    diagnostics: list[tuple[str, int, str, str, list[str]]] = []
    for line in plain(output).splitlines():
        if match := _DIAGNOSTIC.match(line):
            path = match[1].replace("\\", "/").removeprefix("/app/").removeprefix("./")
            diagnostics.append((path, int(match[2]), match[4], match[5], []))
        elif match := _GLOBAL.match(line):
            diagnostics.append((TSCONFIG, 0, match[1], match[2], []))
        elif line.startswith(" ") and diagnostics:
            diagnostics[-1][4].append(line)
    return [
        finding(path, code, message, line=number, shown="\n".join([message, *more]) if more else "")
        for path, number, code, message, more in diagnostics
    ]


def judge_tsc(result: CommandResult) -> list[Finding]:
    if result.exit_code == 0:
        return []
    if result.exit_code is None:
        return [
            finding(
                TSCONFIG,
                "tsc-timeout",
                f"the compiler did not finish within {result.elapsed_s:.0f} s.",
                shown=result.stdout,
            )
        ]
    found = parse_tsc(result.stdout + "\n" + result.stderr)
    return found or [
        finding(
            TSCONFIG,
            "tsc-failed",
            f"the compiler ended with exit code {result.exit_code}.",
            shown=excerpt(result.stdout + "\n" + result.stderr),
        )
    ]


def with_source_lines(findings: list[Finding], subject: Subject) -> list[Finding]:
    """Puts the source line under each finding that shows nothing yet."""
    told: list[Finding] = []
    for found in findings:
        lines = subject.files.get(found.where, "").splitlines()
        if not found.excerpt and 0 < found.line <= len(lines):
            shown = excerpt(lines[found.line - 1])
            told.append(found.model_copy(update={"excerpt": shown}))
        else:
            told.append(found)
    return told


def _examine(subject: Subject) -> list[Finding]:
    relaxed = examine_strictness(subject.files, subject.scaffold)
    return relaxed + examine_imports(subject.files)


async def check_typescript(
    subject: Subject, runtime: Executes, workload: WorkloadId, clock: Clock
) -> CheckResult:
    started = clock.monotonic()
    shape = asyncio.create_task(asyncio.to_thread(_examine, subject))
    try:
        compiled = judge_tsc(await runtime.execute(workload, TSC))
        shaped = await shape
    finally:
        shape.cancel()
    # The compiler names most broken imports too, on the same line and better.
    told = {(f.where, f.line) for f in compiled}
    findings = compiled + [f for f in shaped if (f.where, f.line) not in told]
    return judged(
        CheckName.TYPESCRIPT,
        with_source_lines(findings, subject),
        clock.monotonic() - started,
    )
