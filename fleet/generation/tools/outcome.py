"""What a command said, as the model is told it and as the record keeps it. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from fleet.domain.progress import CheckRun
from fleet.domain.workload import CommandResult
from fleet.generation.tools.tool import bounded

MAX_DIAGNOSTICS = 60
MAX_OUTPUT_CHARS = 16_000
_DIAGNOSTIC = re.compile(r"^(\S.*?)\((\d+),(\d+)\): error (TS\d+): (.*)$")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FAILED_TEST = re.compile(r"^\s*FAIL\s+(.*)$")
_CAUSE = re.compile(r"^\s*(\w*Error: .*)$")
# vitest's summary: "Tests  1 failed | 2 passed (3)"
_RAN = re.compile(r"^\s*Tests\s+.*\b\d+ (?:passed|failed)", re.MULTILINE)


def typecheck_run(result: CommandResult) -> tuple[CheckRun, str]:
    """The compiler's diagnostics; the fingerprint does not change when lines only move."""
    output = _output(result)
    found = [m for line in output.splitlines() if (m := _DIAGNOSTIC.match(line))]
    if result.exit_code == 0:
        return CheckRun(check="typecheck", passed=True), f"No type error, {_took(result)}."
    signs = [f"{m[1]} {m[4]} {m[5]}" for m in found] or [output[-500:]]
    run = CheckRun(check="typecheck", passed=False, fingerprint=fingerprint(signs))
    if not found:
        return run, _whole(result, output)
    files = len({m[1] for m in found})
    shown = [line for line in output.splitlines() if line.strip()]
    more = len(found) - MAX_DIAGNOSTICS
    if more > 0:
        shown = [m[0] for m in found[:MAX_DIAGNOSTICS]]
        shown.append(f"[{more} more; mend these first]")
    head = f"Type errors: {len(found)} in {files} file(s), {_took(result)}"
    return run, bounded("\n".join([head, *shown]), MAX_OUTPUT_CHARS)


def tests_run(result: CommandResult, which: str) -> tuple[CheckRun, str] | None:
    """`which` is "" for all tests. None when vitest ran none."""
    output = _output(result)
    name = f"tests {which}".strip()
    if result.exit_code is not None and not _RAN.search(output) and "FAIL" not in output:
        return None
    if result.exit_code == 0:
        run = CheckRun(check=name, passed=True)
    else:
        lines = output.splitlines()
        signs = [m[1] for line in lines if (m := _FAILED_TEST.match(line) or _CAUSE.match(line))]
        run = CheckRun(check=name, passed=False, fingerprint=fingerprint(signs or [output[-500:]]))
    return run, _whole(result, output)


def fingerprint(signs: Iterable[str]) -> str:
    """Stable over order and repetition."""
    return hashlib.sha256("\n".join(sorted(set(signs))).encode()).hexdigest()[:16]


def _output(result: CommandResult) -> str:
    return _COLOUR.sub("", f"{result.stdout}\n{result.stderr}").strip()


def _whole(result: CommandResult, output: str) -> str:
    end = "ran past its time" if result.exit_code is None else f"exit code {result.exit_code}"
    return bounded(f"{end}, {_took(result)}\n{output}".strip(), MAX_OUTPUT_CHARS)


def _took(result: CommandResult) -> str:
    return f"{result.elapsed_s:.1f} s"
