"""Check `browse`: every declared page, opened as a user would, when browser files changed."""

from __future__ import annotations

import asyncio
import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from fleet.domain.page import ConsoleEntry, PageReport, PageVisit
from fleet.domain.verdict import CheckName, CheckResult, Finding
from fleet.ports import Browser, Clock
from fleet.verification.evidence import app_place, finding, judged, skipped
from fleet.verification.placeholder import NO_SUCH_PAGE_TEXT, PLACEHOLDER_TEXT
from fleet.verification.subject import Subject

_BROWSER_PATHS = ("src/", "public/")
_BROWSER_FILES = frozenset(
    {"index.html", "vite.config.ts", "package.json", "package-lock.json", "tsconfig.json"}
)
PAGE_TIMEOUT_S = 15.0
_ERRORS = ("error", "pageerror")
_RESOURCE_ECHO = "Failed to load resource"
# Vite's cache busters, and hosts that differ between runs: neither belongs in a fingerprint.
_VARYING = re.compile(r"https?://[\w.-]+(?::\d+)?|[?&][tv]=[\w]+")

_ROUTES = "src/App.tsx"
_IMPORTED = re.compile(r"import\s+([^;\"']*?)\s+from\s+[\"'](\.[^\"']+)")
_QUOTED_PATH = re.compile(r"[\"'`](/[^\"'`\s]*)[\"'`]")


def browser_files_changed(changed: frozenset[str] | None) -> bool:
    return changed is None or any(
        path in _BROWSER_FILES or path.startswith(_BROWSER_PATHS) for path in changed
    )


def judge_page(report: PageReport, source: str, artefact: str) -> Iterator[Finding]:
    """`source` is the file that renders the page ("" unknown); it is named in the evidence."""
    where = report.path

    def red(code: str, message: str, shown: str = "") -> Finding:
        place, line = app_place(shown)
        origin = place or source
        told = "\n".join(part for part in (f"file: {origin}" if origin else "", shown) if part)
        return finding(
            where, code, _steady(message), line=line if place else 0, shown=told, artefact=artefact
        )

    if report.timed_out:
        waiting = report.extras.get("open_requests")
        yield red("page-timeout", "the page did not finish loading.", f"still open: {waiting}")
    if report.status >= 400:
        yield red("page-status", f"the page answered HTTP {report.status}.")
    elif report.status == 0 and report.extras.get("load_error"):
        yield red("page-failed", str(report.extras["load_error"]))
    for request in report.failed_requests:
        if urlsplit(request.url).path == report.path and report.status >= 400:
            continue  # the page itself, told above
        outcome = f"HTTP {request.status}" if request.status else request.failure
        # The query string of a tRPC call holds its input.
        call = f"{request.method} {_steady(request.url.split('?', 1)[0])}"
        yield red("request-failed", f"{call} failed: {outcome}.", request.url)
    for entry in report.console:
        if entry.level in _ERRORS and not _echoes_failure(entry, report):
            code = "page-error" if entry.level == "pageerror" else "console-error"
            first = entry.text.strip().split("\n", 1)[0]
            yield red(code, first, "\n".join(p for p in (entry.text, entry.source) if p))
    if overlay := str(report.extras.get("overlay", "")):
        yield red("build-error", overlay.split("\n", 1)[0], overlay)
    if boundary := str(report.extras.get("error_boundary", "")):
        yield red("error-boundary", "the page shows the app's error screen.", boundary)
    blank = report.visible_elements == 0 or any(
        report.extras.get(part) is True for part in ("root_empty", "main_empty")
    )
    if blank and not report.timed_out:
        yield red("blank-page", "the page is blank: nothing is painted.")
    if NO_SUCH_PAGE_TEXT in report.text:
        yield red("missing-page", "no route of the app matches this page.")
    if PLACEHOLDER_TEXT in report.text:
        yield red("placeholder", "the page is the scaffold's placeholder.", report.text)


def _steady(text: str) -> str:
    return _VARYING.sub("", text)


def _echoes_failure(entry: ConsoleEntry, report: PageReport) -> bool:
    """Chromium prints each failed request to the console as well; once is enough."""
    return entry.text.startswith(_RESOURCE_ECHO) and any(
        entry.source.startswith(request.url) for request in report.failed_requests
    )


def page_source(path: str, files: Mapping[str, str]) -> str:
    """The file that renders a page, read off the route table's line for its path."""
    table = files.get(_ROUTES, "")
    imported = {
        name: posixpath.normpath(posixpath.join("src", specifier))
        for names, specifier in _IMPORTED.findall(table)
        for name in re.findall(r"\w+", names)
    }
    exact, patterned = "", ""
    for line in table.splitlines():
        components = [word for word in re.findall(r"[A-Z]\w*", line) if word in imported]
        route = _QUOTED_PATH.search(line)
        if route is None or not components:
            continue
        if route[1] == path:
            exact = imported[components[0]]
        elif re.fullmatch(re.sub(r":\w+", "[^/]+", route[1]), path):
            patterned = patterned or imported[components[0]]
    return exact or patterned or (_ROUTES if table else "")


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
    return judged(CheckName.BROWSE, findings, clock.monotonic() - started, artefacts=pictures)
