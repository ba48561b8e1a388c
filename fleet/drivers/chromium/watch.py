"""Collects what one page does while it loads, and tells when it has gone quiet."""

from __future__ import annotations

import asyncio

from playwright.async_api import ConsoleMessage, Error, Page, Request, Response

from fleet.domain.page import ConsoleEntry, FailedRequest

MAX_ENTRIES = 100
# Long enough for a rendered answer to start its follow-up request, short enough to wait on
# every page.
QUIET_S = 0.06
# They stay open by design, so that waiting for them to end would wait for ever.
_ENDLESS = frozenset({"eventsource", "websocket", "ping", "media"})
# The page itself changed its mind (navigation, AbortController): nothing went wrong.
_CHANGED_MIND = "net::ERR_ABORTED"


class PageWatch:
    """Attach before navigating. All callbacks run on the loop's thread."""

    def __init__(self, page: Page) -> None:
        self.console: list[ConsoleEntry] = []
        self.failed: list[FailedRequest] = []
        self._open: set[Request] = set()
        self._changed = asyncio.Event()
        page.on("console", self._on_console)
        page.on("pageerror", self._on_page_error)
        page.on("request", self._on_request)
        page.on("response", self._on_response)
        page.on("requestfinished", self._on_end)
        page.on("requestfailed", self._on_failed)

    async def quiet(self) -> None:
        """Returns once no request has been open for `QUIET_S`; the caller sets the deadline."""
        while True:
            self._changed.clear()
            if self._open:
                await self._changed.wait()
                continue
            try:
                async with asyncio.timeout(QUIET_S):
                    await self._changed.wait()
            except TimeoutError:
                return

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
        if request.resource_type not in _ENDLESS:
            self._open.add(request)
            self._changed.set()

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self._fail(response.request, status=response.status)

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
