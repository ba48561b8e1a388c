"""Collects what one page does while it loads, and tells when it has gone quiet."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from playwright.async_api import ConsoleMessage, Error, Page, Request, Response

from fleet.domain.page import ConsoleEntry, FailedRequest

MAX_ENTRIES = 100
# Long enough for a rendered answer to start its follow-up request, short enough to wait on
# every page.
QUIET_S = 0.06
# The same request this often in one visit is a loop. A page that asks for anything is watched for
# a moment, most of which looking at it takes; one that then seems to repeat itself for longer.
LOOP_REQUESTS = 12
_SUSPECT_REQUESTS = 2
_MOMENT_S, _SUSPECT_WATCH_S = 0.35, 3.0
# They stay open by design, so that waiting for them to end would wait for ever.
_ENDLESS = frozenset({"eventsource", "websocket", "ping", "media"})
_ASKED = frozenset({"fetch", "xhr"})
_REPEATABLE = _ASKED | {"document"}
# What no page can stand in for; a server that answers any address with the app's page does that.
_ASSETS = frozenset({"image", "stylesheet", "script", "font"})
# The page itself changed its mind (navigation, AbortController): nothing went wrong.
_CHANGED_MIND = "net::ERR_ABORTED"


class PageWatch:
    """Attach before navigating. All callbacks run on the loop's thread."""

    def __init__(self, page: Page) -> None:
        self.console: list[ConsoleEntry] = []
        self.failed: list[FailedRequest] = []
        self.requests: Counter[tuple[str, str, str]] = Counter()
        self._kinds: set[str] = set()
        self._open: set[Request] = set()
        self._changed = asyncio.Event()
        page.on("console", self._on_console)
        page.on("pageerror", self._on_page_error)
        page.on("request", self._on_request)
        page.on("response", self._on_response)
        page.on("requestfinished", self._on_end)
        page.on("requestfailed", self._on_failed)

    async def quiet(self) -> None:
        """Returns once no request has been open for `QUIET_S`, or when they go in circles; the
        caller sets the deadline."""
        while not self.repeated:
            self._changed.clear()
            if self._open:
                await self._changed.wait()
                continue
            try:
                async with asyncio.timeout(QUIET_S):
                    await self._changed.wait()
            except TimeoutError:
                return

    async def circles(self, loaded_at: float) -> None:
        """Waits until it is plain whether requests go in circles; `loaded_at` is monotonic."""
        if self._kinds & _ASKED:
            await self._watch_until(loaded_at + _MOMENT_S, _SUSPECT_REQUESTS)
        if max(self.requests.values(), default=0) >= _SUSPECT_REQUESTS:
            await self._watch_until(time.monotonic() + _SUSPECT_WATCH_S, LOOP_REQUESTS)

    async def _watch_until(self, end: float, enough: int) -> None:
        """Until `end`, or as soon as one request was made `enough` times."""
        try:
            async with asyncio.timeout(max(0.0, end - time.monotonic())):
                while max(self.requests.values(), default=0) < enough:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return

    @property
    def repeated(self) -> str:
        """The request that goes in circles ("GET http://…"), or ""."""
        for (method, url, _), count in self.requests.items():
            if count >= LOOP_REQUESTS:
                return f"{method} {url}"
        return ""

    @property
    def open_requests(self) -> list[str]:
        return sorted(request.url for request in self._open)

    def _on_console(self, message: ConsoleMessage) -> None:
        if len(self.console) < MAX_ENTRIES:
            place = message.location
            source = f"{place['url']}:{place['lineNumber'] + 1}" if place.get("url") else ""
            self.console.append(
                ConsoleEntry(level=message.type, text=message.text[:4000], source=source)
            )

    def _on_page_error(self, error: Error) -> None:
        if len(self.console) < MAX_ENTRIES:
            text = error.stack if error.stack and error.message in error.stack else error.message
            self.console.append(ConsoleEntry(level="pageerror", text=text[:4000]))

    def _on_request(self, request: Request) -> None:
        self._kinds.add(request.resource_type)
        if request.resource_type in _REPEATABLE:
            self.requests[request.method, request.url, request.post_data or ""] += 1
        if request.resource_type not in _ENDLESS:
            self._open.add(request)
        self._changed.set()

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self._fail(response.request, status=response.status)
        elif response.request.resource_type in _ASSETS:
            kind = response.headers.get("content-type", "")
            if kind.startswith("text/html"):
                failure = f"there is no such {response.request.resource_type}, only a page"
                self._fail(response.request, status=response.status, failure=failure)

    def _on_end(self, request: Request) -> None:
        self._open.discard(request)
        self._changed.set()

    def _on_failed(self, request: Request) -> None:
        self._on_end(request)
        failure = request.failure or "failed"
        if failure != _CHANGED_MIND:
            self._fail(request, failure=failure)

    def _fail(self, request: Request, *, status: int = 0, failure: str = "") -> None:
        if len(self.failed) < MAX_ENTRIES:
            self.failed.append(
                FailedRequest(
                    method=request.method, url=request.url[:2000], status=status, failure=failure
                )
            )
