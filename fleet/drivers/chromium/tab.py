"""One visit in one tab: load the page, look at it, photograph it, then use it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page
from playwright.async_api import TimeoutError as PlaywrightTimeout

from fleet.domain.page import FormReport, LinkReport, PageReport, PageVisit
from fleet.drivers.chromium.bridge import APP_HOST
from fleet.drivers.chromium.watch import PageWatch

# Reading the page and taking its picture after it loaded; a page that spins its main thread
# answers neither.
_LOOK_TIMEOUT_S = 5.0
# How long a page that looks unfinished may take to finish: data has arrived, the machine is busy.
_PATIENCE_MS = 2_500
_FORM_PATIENCE_MS = 700
_USE_TIMEOUT_S = 8.0
_LOAD_TIMEOUT_S = 4.0
_ANSWER_TIMEOUT_S = 1.0
_MAX_LINKS = 6  # over all visits that overlap: a menu's worth of addresses nobody declared
_NOWHERE = "/af-no-such-page-7f3a"
_RECORD_ID = re.compile(r"/(?:\d+|[0-9a-f]{8}-[0-9a-f-]{27})(?=/|$)")
_IS_FILE = re.compile(r"\.\w{1,5}$")


@dataclass
class Trail:
    """What visits to one app that overlap in time have done already, so that none repeats it."""

    claimed: set[str] = field(default_factory=set)
    nothing: str = ""

    def claim(self, links: Sequence[dict[str, Any]], known: Sequence[str]) -> dict[str, str]:
        """Addresses to follow, with their labels: new ones, one of each kind of record."""
        self.claimed |= {_kind(path) for path in known}
        mine: dict[str, str] = {}
        for link in links:
            href = str(link["href"])
            kind = _kind(href)
            full = len(self.claimed) >= len(known) + _MAX_LINKS
            if kind in self.claimed or _IS_FILE.search(kind) or full:
                continue
            self.claimed.add(kind)
            mine[href] = str(link["label"])
        return mine


def _kind(href: str) -> str:
    return _RECORD_ID.sub("/:id", href.split("?", 1)[0].rstrip("/") or "/")


class Tab:
    """`report = await Tab(page, visit, trail).report()`; raises PlaywrightError when the browser
    died, and no other. `stuck`: a deadline passed because the page's process does nothing but run
    a script, be it another page's."""

    def __init__(self, page: Page, visit: PageVisit, trail: Trail) -> None:
        self._page = page
        self._visit = visit
        self._trail = trail
        self._watch = PageWatch(page)
        self._status = 0
        self._load_error = ""
        self.stuck = False
        self._timed_out = False
        self._cut_short = False

    async def report(self) -> PageReport:
        started = time.monotonic()
        await self._load()
        loaded_at = time.monotonic()
        seen: dict[str, Any] = {}
        picture = ""
        self.stuck = self._timed_out and await self._is_stuck()
        if not self.stuck:
            seen, picture = await self._look()
        watch = self._watch
        await watch.circles(loaded_at)
        repeated = watch.repeated  # before the page is used: that repeats requests by itself
        judged_console, judged_failed = tuple(watch.console), tuple(watch.failed)
        waiting = list(watch.open_requests)
        forms: tuple[FormReport, ...] = ()
        links: tuple[LinkReport, ...] = ()
        if self._visit.exercise and seen and not self._timed_out and not repeated:
            forms, links = await self._use(seen)
        if (self._timed_out or self._cut_short) and not self.stuck:
            self.stuck = await self._is_stuck()
        late = tuple(watch.console[len(judged_console) :])
        return PageReport(
            path=self._visit.path,
            status=self._status,
            title=str(seen.get("title", "")),
            text=str(seen.get("text", "")),
            visible_elements=int(str(seen.get("visible", 0))),
            console=judged_console,
            failed_requests=judged_failed,
            timed_out=self._timed_out,
            screenshot=picture,
            elapsed_s=time.monotonic() - started,
            repeated=repeated,
            forms=forms,
            links=links,
            errors=tuple(entry for entry in late if entry.level == "pageerror"),
            extras={
                "root_empty": bool(seen.get("rootEmpty", False)),
                "main_empty": bool(seen.get("mainEmpty", False) or seen.get("shellOnly", False)),
                "waiting": bool(seen.get("waiting", False)),
                "main_text": seen.get("mainText", ""),
                "overlay": seen.get("overlay", ""),
                "error_boundary": seen.get("boundary", ""),
                "load_error": self._load_error,
                "open_requests": waiting,
            },
        )

    async def _is_stuck(self) -> bool:
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                await self._page.evaluate("0")
        except (TimeoutError, PlaywrightTimeout):
            return True
        except PlaywrightError as error:
            if crashed(error):
                raise
        return False

    async def _load(self) -> None:
        try:
            async with asyncio.timeout(self._visit.timeout_s):
                self._status = await self._go(self._visit.path)
                await self._watch.quiet()
        except TimeoutError:
            self._timed_out = True
        except PlaywrightError as error:
            self._failed(error)

    async def _go(self, path: str) -> int:
        response = await self._page.goto(f"http://{APP_HOST}{path}", wait_until="load", timeout=0)
        return response.status if response is not None else 0

    async def _look(self) -> tuple[dict[str, Any], str]:
        seen: dict[str, Any] = {}
        picture = ""
        try:
            async with asyncio.timeout(_LOOK_TIMEOUT_S):
                seen = await self._page.evaluate(_script("observe"), _PATIENCE_MS)
                picture = await self._picture()
        except (TimeoutError, PlaywrightTimeout):
            self._timed_out = True
        except PlaywrightError as error:
            # It navigated away while it was looked at, or there is no document at all.
            self._failed(error)
        return seen, picture

    def _failed(self, error: PlaywrightError) -> None:
        if crashed(error):
            raise error
        self._load_error = self._load_error or error.message.split("\n", 1)[0]

    async def _picture(self) -> str:
        target = self._visit.screenshot
        if not target:
            return ""
        data = await self._page.screenshot(animations="disabled", caret="initial")
        path = Path(target)
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        await asyncio.to_thread(path.write_bytes, data)
        return target

    async def _use(
        self, seen: dict[str, Any]
    ) -> tuple[tuple[FormReport, ...], tuple[LinkReport, ...]]:
        forms: tuple[FormReport, ...] = ()
        links: tuple[LinkReport, ...] = ()
        try:
            async with asyncio.timeout(_USE_TIMEOUT_S):
                if seen.get("forms"):
                    forms = await self._send_forms()
                links = await self._follow(seen)
        except (TimeoutError, PlaywrightTimeout):
            self._cut_short = True  # it was judged already; what could be tried is told
        except PlaywrightError as error:
            if crashed(error):
                raise
        return forms, links

    async def _send_forms(self) -> tuple[FormReport, ...]:
        asked = self._watch.requests.total()
        try:
            told = await self._page.evaluate(_script("exercise"), _FORM_PATIENCE_MS)
        except PlaywrightError as error:
            if crashed(error):
                raise
            return ()  # the document went away, and that is a reaction
        heard = self._watch.requests.total() > asked
        await self._quiet_again()
        return tuple(
            FormReport(
                label=form["label"],
                reaction="request" if heard and form["reaction"] == "nothing" else form["reaction"],
            )
            for form in told
        )

    async def _follow(self, seen: dict[str, Any]) -> tuple[LinkReport, ...]:
        wanted = self._trail.claim(seen["links"], self._visit.known)
        if not wanted:
            return ()
        addresses = list(wanted)
        # The made-up address first: what it shows is what a dead link shows.
        told = await self._page.evaluate(_script("follow"), [_NOWHERE, *addresses])
        nothing = told[0]["text"] if told[0]["moved"] else ""
        reports = []
        for href, shown in zip(addresses, told[1:], strict=True):
            status, text = 200, str(shown["text"])
            if not nothing or text == nothing:
                status, text = await self._arrive(href)
            reports.append(
                LinkReport(href=href, label=wanted[href], status=status, text=text, nothing=nothing)
            )
        return tuple(reports)

    async def _arrive(self, href: str) -> tuple[int, str]:
        """Loads an address as a first visit would: what only looked dead may be a page of the
        server's own. A download has no text."""
        try:
            async with asyncio.timeout(_LOAD_TIMEOUT_S):
                status = await self._go(href)
                await self._watch.quiet()
                seen = await self._page.evaluate(_script("observe"), 0)
                return status, str(seen["mainText"])
        except (TimeoutError, PlaywrightError) as error:
            if isinstance(error, PlaywrightError) and crashed(error):
                raise
            return 0, ""

    async def _quiet_again(self) -> None:
        try:
            async with asyncio.timeout(_LOAD_TIMEOUT_S):
                await self._watch.quiet()
        except TimeoutError:
            return


def crashed(error: PlaywrightError) -> bool:
    """Whether the browser, not the page, is at fault."""
    text = error.message
    return "has been closed" in text or "crashed" in text.lower() or "Connection closed" in text


@cache
def _script(name: str) -> str:
    return (Path(__file__).parent / f"{name}.js").read_text("utf-8")
