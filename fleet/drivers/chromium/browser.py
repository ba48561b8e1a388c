"""Browser on Debian's Chromium, driven by playwright and kept warm between visits."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser as PlaywrightBrowser
from playwright.async_api import BrowserContext, Playwright, async_playwright
from playwright.async_api import Error as PlaywrightError

from fleet.domain.page import PageReport, PageVisit
from fleet.drivers.chromium.bridge import AppBridge
from fleet.drivers.chromium.tab import Tab, Trail, crashed
from fleet.errors import InfrastructureError, SetupError

# Without windows first: the same engine, and a page costs it half the time.
_NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
_FLAGS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-quic",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Nothing is resolved and no datagram leaves: the bridge is the only way out.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)
_VIEWPORT_WIDTH, _VIEWPORT_HEIGHT = 1280, 800
_LAUNCH_TIMEOUT_S = 30.0
_CLOSE_TIMEOUT_S = 5.0
_MAX_PAGES = 3


def find_chromium(executable: str = "") -> str:
    """The path of Chromium; raises SetupError when there is none."""
    names = (executable,) if executable else _NAMES
    for name in names:
        if found := shutil.which(name):
            return found
    raise SetupError(
        f"Chromium is missing (looked for {', '.join(names)}).",
        action="Run `appfleet doctor --fix`, or `sudo apt-get install chromium`.",
    )


@dataclass(frozen=True)
class _Window:
    """A context of its own for one app, with the bridge to it."""

    browser: PlaywrightBrowser
    context: BrowserContext
    bridge: AppBridge
    gone: asyncio.Event  # the browser's own end
    trail: Trail = field(default_factory=Trail)

    async def close(self) -> None:
        # A dead browser's context is closed; asked to close it, some of them never answer.
        if not self.gone.is_set():
            with suppress(PlaywrightError, TimeoutError):
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await self.context.close()
        await self.bridge.close()


@dataclass
class _Session:
    opening: asyncio.Task[_Window]
    users: int = 0


class ChromiumBrowser:
    """One Chromium process. Visits to one app that overlap in time are tabs of one throwaway
    context: they share its cache, which halves the work of a gate that opens every page."""

    def __init__(self, executable: str = "") -> None:
        self._executable = executable
        self._playwright: Playwright | None = None
        self._browser: PlaywrightBrowser | None = None
        self._gone = asyncio.Event()
        self._launching = asyncio.Lock()
        self._pages = asyncio.Semaphore(_MAX_PAGES)
        self._sessions: dict[str, _Session] = {}

    async def visit(self, visit: PageVisit) -> PageReport:
        """Opens one page; a Chromium that died is replaced once before that is an error."""
        for attempt in (1, 2):
            try:
                async with self._window(visit.socket) as window, self._pages:
                    return await _unless(window.gone, self._visit(window, visit))
            except PlaywrightError as error:
                if attempt == 2 or not crashed(error):
                    raise InfrastructureError(f"Chromium failed: {error.message}") from error
        raise AssertionError("unreachable")

    async def warm(self) -> None:
        """Starts Chromium now, so that the first visit does not wait for it."""
        await self._warm()

    async def close(self) -> None:
        async with self._launching:
            with suppress(PlaywrightError):  # already gone is closed
                if self._browser is not None:
                    await self._browser.close()
            if self._playwright is not None:
                await self._playwright.stop()
            self._browser = self._playwright = None

    async def _warm(self) -> PlaywrightBrowser:
        async with self._launching:
            if self._browser is not None and not self._gone.is_set():
                return self._browser
            path = find_chromium(self._executable)
            try:
                async with asyncio.timeout(_LAUNCH_TIMEOUT_S):
                    if self._playwright is None:
                        self._playwright = await async_playwright().start()
                    flags = [*_FLAGS, "--no-sandbox"] if os.geteuid() == 0 else list(_FLAGS)
                    self._browser = await self._playwright.chromium.launch(
                        executable_path=path, args=flags, chromium_sandbox=os.geteuid() != 0
                    )
                    self._gone = gone = asyncio.Event()
                    self._browser.on("disconnected", lambda _: gone.set())
            except (PlaywrightError, TimeoutError) as error:
                raise InfrastructureError(
                    f"Chromium at {path} does not start: {error}",
                    action="Run `appfleet doctor`.",
                ) from error
            return self._browser

    @asynccontextmanager
    async def _window(self, socket: str) -> AsyncIterator[_Window]:
        session = self._sessions.get(socket)
        if session is None:
            session = _Session(asyncio.create_task(self._open(socket)))
            self._sessions[socket] = session
        session.users += 1
        try:
            yield await asyncio.shield(session.opening)
        except PlaywrightError:
            self._forget(socket, session)  # whoever tries again gets a new one
            raise
        finally:
            session.users -= 1
            if session.users == 0:
                self._forget(socket, session)
                await asyncio.wait([session.opening])
                if session.opening.exception() is None:
                    await session.opening.result().close()

    def _forget(self, socket: str, session: _Session) -> None:
        if self._sessions.get(socket) is session:
            del self._sessions[socket]

    async def _open(self, socket: str) -> _Window:
        browser = await self._warm()
        bridge = await AppBridge(socket).open()
        try:
            context = await browser.new_context(
                proxy={"server": bridge.proxy_url, "bypass": "<-loopback>"},
                viewport={"width": _VIEWPORT_WIDTH, "height": _VIEWPORT_HEIGHT},
                service_workers="block",
                accept_downloads=False,
                reduced_motion="reduce",
            )
        except BaseException:
            await bridge.close()
            raise
        return _Window(browser, context, bridge, self._gone)

    async def _visit(self, window: _Window, visit: PageVisit) -> PageReport:
        page = await window.context.new_page()
        try:
            return await Tab(page, visit, window.trail).report()
        finally:
            with suppress(PlaywrightError):  # the visit's own error says more
                await page.close()


async def _unless(gone: asyncio.Event, visit: Coroutine[Any, Any, PageReport]) -> PageReport:
    """The visit's report; raises at once when the browser dies, which not every call notices."""
    visiting = asyncio.create_task(visit)
    dying = asyncio.create_task(gone.wait())
    try:
        await asyncio.wait({visiting, dying}, return_when=asyncio.FIRST_COMPLETED)
        if visiting.done():
            return visiting.result()
        raise PlaywrightError("Chromium has been closed")
    finally:
        for task in (visiting, dying):
            task.cancel()
        await asyncio.wait({visiting, dying}, timeout=_CLOSE_TIMEOUT_S)
        if visiting.done() and not visiting.cancelled():
            visiting.exception()  # the browser's death says more
