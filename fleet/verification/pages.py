"""What a page's report proves: pure judging for the check `browse`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from fleet.domain.page import ConsoleEntry, LinkReport, PageReport
from fleet.domain.verdict import Finding
from fleet.verification.evidence import NO_NETWORK, app_place, excerpt, finding
from fleet.verification.placeholder import NO_SUCH_PAGE_TEXT, PLACEHOLDER_TEXT

FAILED = "request-failed"
_RESOURCE_ECHO = "Failed to load resource"
# Vite's cache busters, and hosts that differ between runs: neither belongs in a fingerprint.
_VARYING = re.compile(r"https?://(?:[\w-]+\.)*localhost(?::\d+)?|[?&][tv]=[\w]+")
_PLACEHOLDER = re.compile(r"%[sdifoOc]")  # of a console message; its arguments follow the text

_ROUTES = "src/App.tsx"
_IMPORTED = re.compile(r"import\s+([^;\"']*?)\s+from\s+[\"'](\.[^\"']+)")
_QUOTED_PATH = re.compile(r"[\"'`](/[^\"'`\s]*)[\"'`]")


def judge_page(report: PageReport, source: str, artefact: str) -> Iterator[Finding]:
    """`source` is the file that renders the page ("" unknown); it is named in the evidence."""
    page = _Page(report, source, artefact)
    yield from page.loading()
    yield from page.requests()
    yield from page.messages()
    yield from page.looks()
    yield from page.forms()


@dataclass(frozen=True)
class _Page:
    report: PageReport
    source: str
    artefact: str

    def _red(self, code: str, message: str, shown: str = "") -> Finding:
        place, line = app_place(shown)
        origin = place or self.source
        told = "\n".join(part for part in (f"file: {origin}" if origin else "", shown) if part)
        return finding(
            self.report.path,
            code,
            _steady(message),
            line=line if place else 0,
            shown=told,
            artefact=self.artefact,
        )

    def loading(self) -> Iterator[Finding]:
        report = self.report
        if report.timed_out:
            waiting = report.extras.get("open_requests")
            yield self._red(
                "page-timeout", "the page did not finish loading.", f"still open: {waiting}"
            )
        if report.status >= 400:
            yield self._red("page-status", f"the page answered HTTP {report.status}.")
        elif report.status == 0 and report.extras.get("load_error"):
            yield self._red("page-failed", str(report.extras["load_error"]))

    def requests(self) -> Iterator[Finding]:
        report = self.report
        for request in report.failed_requests:
            if urlsplit(request.url).path == report.path and report.status >= 400:
                continue  # the page itself, told above
            outcome = request.failure or f"HTTP {request.status}"
            hint = f" {NO_NETWORK}" if _leaves_the_app(request.url) else ""
            call = f"{request.method} {_address(request.url)}"
            yield self._red(FAILED, f"{call} failed: {outcome}.{hint}", request.url)
        if report.repeated:
            method, _, url = report.repeated.partition(" ")
            yield self._red(
                "request-loop",
                f"the page asks for {method} {_address(url)} again and again.",
                report.repeated,
            )

    def messages(self) -> Iterator[Finding]:
        for entry in self.report.console:
            if entry.is_error and not _echoes_failure(entry, self.report):
                code = "page-error" if entry.level == "pageerror" else "console-error"
                shown = "\n".join(p for p in (entry.text, entry.source) if p)
                yield self._red(code, _first_line(entry.text), shown)
        if overlay := str(self.report.extras.get("overlay", "")):
            yield self._red("build-error", _first_line(overlay), overlay)

    def looks(self) -> Iterator[Finding]:
        report = self.report
        if boundary := str(report.extras.get("error_boundary", "")):
            yield self._red("error-boundary", "the page shows the app's error screen.", boundary)
        blank = report.visible_elements == 0 or any(
            report.extras.get(part) is True for part in ("root_empty", "main_empty")
        )
        if blank and not report.timed_out:
            yield self._red("blank-page", "the page is blank: nothing, or only its menu, is shown.")
        if report.extras.get("waiting") is True:
            yield self._red(
                "stuck-loading",
                "the page goes on loading although nothing is under way.",
                str(report.extras.get("main_text", "")),
            )
        if NO_SUCH_PAGE_TEXT in report.text:
            yield self._red("missing-page", "no route of the app matches this page.")
        if PLACEHOLDER_TEXT in report.text:
            yield self._red("placeholder", "the page is the scaffold's placeholder.", report.text)

    def forms(self) -> Iterator[Finding]:
        for form in self.report.forms:
            if form.reaction == "nothing":
                yield self._red(
                    "dead-form",
                    f"nothing happens when the form is filled in and {form.label!r} is pressed: "
                    "no request, no change of the page, no message.",
                )
            elif form.reaction == "error" and self.report.errors:
                text = self.report.errors[0].text
                yield self._red(
                    "form-error", f"pressing {form.label!r} throws: {_first_line(text)}", text
                )


def once(findings: Sequence[Finding]) -> list[Finding]:
    """A request that fails on every page is told at the first, with the others' names."""
    kept: dict[tuple[str, str], list[Finding]] = {}
    for found in findings:
        alone = "" if found.code == FAILED else found.where
        kept.setdefault((f"{found.code} {alone}", found.message), []).append(found)
    return [_with_places(group[0], [f.where for f in group[1:]]) for group in kept.values()]


def _with_places(found: Finding, others: Sequence[str]) -> Finding:
    places = ", ".join(dict.fromkeys(place for place in others if place != found.where))
    if not places:
        return found
    return found.model_copy(update={"excerpt": excerpt(f"{found.excerpt}\nalso on: {places}")})


def judge_links(reports: Sequence[PageReport], files: Mapping[str, str]) -> Iterator[Finding]:
    """A link is dead when it leads where an address that cannot exist leads. An app that shows one
    of its pages for any address has no dead links."""
    alive = {str(report.extras.get("main_text", "")) for report in reports}
    for report in reports:
        for link in report.links:
            lost = link.nothing and link.text == link.nothing and link.nothing not in alive
            if not lost and link.status < 400:
                continue
            outcome = f"HTTP {link.status}" if link.status >= 400 else "the app has no such page"
            sources = [*_written_in(link, files), page_source(report.path, files)]
            told = "\n".join(f"file: {path}" for path in dict.fromkeys(sources) if path)
            yield finding(
                report.path,
                "dead-link",
                f"the link {link.label!r} leads to {link.href}: {outcome}.",
                shown=f"{told}\n{link.text}",
            )


def _written_in(link: LinkReport, files: Mapping[str, str]) -> list[str]:
    quoted = [f"{quote}{link.href}{quote}" for quote in "\"'`"]
    return [
        path
        for path, text in sorted(files.items())
        if path.startswith("src/") and any(form in text for form in quoted)
    ]


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


def _first_line(text: str) -> str:
    return _PLACEHOLDER.sub("", text).strip().split("\n", 1)[0].strip()


def _steady(text: str) -> str:
    return _VARYING.sub("", text)


def _address(url: str) -> str:
    """Without its query: that of a tRPC call holds its input."""
    return _steady(url.split("?", 1)[0])


def _leaves_the_app(url: str) -> bool:
    host = urlsplit(url).hostname
    return host is not None and host != "localhost" and not host.endswith(".localhost")


def _echoes_failure(entry: ConsoleEntry, report: PageReport) -> bool:
    """Chromium prints each failed request to the console as well; once is enough."""
    return entry.text.startswith(_RESOURCE_ECHO) and any(
        entry.source.startswith(request.url) for request in report.failed_requests
    )
