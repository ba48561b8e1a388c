"""How checks say what they found: bounded, stable over line shifts, and naming a file."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fleet.domain.verdict import (
    MAX_EXCERPT_CHARS,
    CheckName,
    CheckOutcome,
    CheckResult,
    Finding,
)

MAX_FINDINGS = 20
NO_NETWORK = "The sandbox has no network: nothing but the app's own database can be reached."
_MAX_MESSAGE_CHARS = 600
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# The app lies at /app in its sandbox; Vite serves browser files from the root of its host.
_APP_FILE = re.compile(
    r"(?:/app/|localhost(?::\d+)?/|(?<![\w/.-]))"
    r"((?:server|src|tests|db|shared)/[\w./$\[\]-]+\.(?:tsx?|jsx?|mts|sql|css))"
    r"(?:\?[\w=&.-]*)?(?:[:(](\d+))?"
)
# Frames that nobody can mend: libraries and Node itself.
_FOREIGN_FRAME = re.compile(r"^\s+at .*(?:/node_modules/|node:internal|<anonymous>).*\n?", re.M)


def plain(text: str) -> str:
    return _ANSI.sub("", text).replace("\0", "")


def excerpt(text: str, limit: int = MAX_EXCERPT_CHARS) -> str:
    """Head and tail of a text within the bound, whole when it fits."""
    text = plain(text).strip()
    if len(text) <= limit:
        return text
    mark = "\n[…]\n"
    head = (limit - len(mark)) * 2 // 3
    return text[:head] + mark + text[-(limit - len(mark) - head) :]


def app_place(text: str) -> tuple[str, int]:
    """The first of the app's own files a stack or log names, and the line (0 unknown)."""
    match = _APP_FILE.search(plain(text))
    return (match[1], int(match[2] or 0)) if match else ("", 0)


def finding(
    where: str, code: str, message: str, *, line: int = 0, shown: str = "", artefact: str = ""
) -> Finding:
    return Finding(
        where=where,
        code=code,
        message=excerpt(message, _MAX_MESSAGE_CHARS),
        line=line,
        excerpt=excerpt(_FOREIGN_FRAME.sub("", plain(shown))),
        artefact=artefact,
    )


def judged(
    check: CheckName,
    findings: Sequence[Finding],
    elapsed_s: float,
    *,
    note: str = "",
    artefacts: Sequence[str] = (),
) -> CheckResult:
    """Red with any finding, else green. Doubles are dropped, the rest bounded and counted."""
    unique = list({(f.fingerprint, f.line): f for f in findings}.values())
    if len(unique) > MAX_FINDINGS:
        note = f"{note} {len(unique) - MAX_FINDINGS} more findings are not shown.".strip()
    return CheckResult(
        check=check,
        outcome=CheckOutcome.FAILED if unique else CheckOutcome.PASSED,
        findings=tuple(unique[:MAX_FINDINGS]),
        note=note,
        elapsed_s=round(elapsed_s, 3),
        artefacts=tuple(artefacts),
    )


def skipped(check: CheckName, why: str) -> CheckResult:
    return CheckResult(check=check, outcome=CheckOutcome.SKIPPED, note=why)


def cut(check: CheckName, grace_s: float) -> CheckResult:
    why = f"The verdict was red already; not waited for longer than {grace_s:.0f} s."
    return CheckResult(check=check, outcome=CheckOutcome.CUT, note=why)


def not_run(check: CheckName, why: str) -> CheckResult:
    return CheckResult(check=check, outcome=CheckOutcome.NOT_RUN, note=why)


def blocked(check: CheckName, why: str) -> CheckResult:
    return CheckResult(check=check, outcome=CheckOutcome.BLOCKED, note=why)
