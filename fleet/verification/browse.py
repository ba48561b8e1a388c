"""Check `browse`: every declared page, opened as a user would, when browser files changed."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from fleet.domain.page import PageVisit
from fleet.domain.verdict import CheckName, CheckResult, Finding
from fleet.ports import Browser, Clock
from fleet.verification.evidence import judged, skipped
from fleet.verification.pages import judge_links, judge_page, once, page_source
from fleet.verification.subject import Subject

_BROWSER_PATHS = ("src/", "public/")
_BROWSER_FILES = frozenset(
    {"index.html", "vite.config.ts", "package.json", "package-lock.json", "tsconfig.json"}
)
PAGE_TIMEOUT_S = 15.0


def browser_files_changed(changed: frozenset[str] | None) -> bool:
    return changed is None or any(
        path in _BROWSER_FILES or path.startswith(_BROWSER_PATHS) for path in changed
    )


def picture_path(folder: Path, path: str) -> Path:
    name = re.sub(r"[^A-Za-z0-9]+", "-", path).strip("-") or "home"
    return folder / f"{name[:80]}.png"


async def check_browse(
    subject: Subject, browser: Browser, socket: str, clock: Clock
) -> CheckResult:
    if not subject.request.contract.pages:
        return skipped(CheckName.BROWSE, "The contract declares no pages.")
    if not browser_files_changed(subject.changed):
        return skipped(CheckName.BROWSE, "No browser file changed since the last green commit.")
    started = clock.monotonic()
    visits = [
        PageVisit(
            socket=socket,
            path=path,
            screenshot=str(picture_path(subject.artefacts, path)),
            timeout_s=PAGE_TIMEOUT_S,
            exercise=True,
            known=subject.request.contract.pages,
        )
        for path in subject.request.contract.pages
    ]
    reports = await asyncio.gather(*(browser.visit(visit) for visit in visits))
    root = subject.artefacts.parent.parent
    pictures: list[str] = []
    findings: list[Finding] = []
    for report in reports:
        picture = str(Path(report.screenshot).relative_to(root)) if report.screenshot else ""
        if picture:
            pictures.append(picture)
        findings += judge_page(report, page_source(report.path, subject.files), picture)
    findings += judge_links(reports, subject.files)
    return judged(CheckName.BROWSE, once(findings), clock.monotonic() - started, artefacts=pictures)
