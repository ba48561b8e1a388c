"""Browser on Debian's Chromium, driven by playwright and kept warm between visits."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

import structlog
from playwright.async_api import Browser as PlaywrightBrowser
from playwright.async_api import BrowserContext, Playwright, async_playwright
from playwright.async_api import Error as PlaywrightError

from fleet.domain.page import PageReport, PageVisit
from fleet.drivers.chromium.bridge import AppBridge
from fleet.drivers.chromium.processes import Processes
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
# Starting a renderer and compiling an app's code in it costs more than sharing one.
_RENDERERS = f"--renderer-process-limit={max(2, os.cpu_count() or 1)}"
_VIEWPORT_WIDTH, _VIEWPORT_HEIGHT = 1280, 800
_LAUNCH_TIMEOUT_S = 30.0
_CLOSE_TIMEOUT_S = 5.0
# What the browser's own process answers in milliseconds; a frozen one never does.
_ANSWER_TIMEOUT_S = 10.0
# What a visit may take beyond its page's load, all its parts at their own deadlines.
_VISIT_REST_S = 60.0
_MAX_PAGES = 6
_EXIT = re.compile(r"exitCode=(\w+)(?:, signal=(\w+))?")

_Answer = TypeVar("_Answer")

log = structlog.get_logger()


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
class _Chromium:
    """One launched Chromium; `gone` is set once it ended, by itself or by us."""

    browser: PlaywrightBrowser
    processes: Processes
    answer_s: float
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, why: str) -> PlaywrightError:
        """Kills it; the error is what its users are to raise."""
        if not self.gone.is_set():
            log.warning("chromium killed", why=why)
            self.processes.kill()
            self.gone.set()
        return PlaywrightError(f"Chromium has been closed: {why}")

    async def answered(self, call: Awaitable[_Answer]) -> _Answer:
        """What a call to the browser itself gives; without an answer in time it is ended."""
        try:
            async with asyncio.timeout(self.answer_s):
                return await call
        except TimeoutError as error:
            raise self.end("it answers nothing.") from error

    async def prove_alive(self) -> None:
        """A page that never ends is the app's fault only in a browser that is well."""
        await self.answered(self._version())
        if await asyncio.to_thread(self.processes.stopped):
            raise self.end("its processes were stopped.")

    async def _version(self) -> None:
        session = await self.browser.new_browser_cdp_session()
        await session.send("Browser.getVersion")
        await session.detach()


@dataclass
class _Window:
    """A context of its own for one app, with the bridge to it. `visits` counts all it ever had."""

    chromium: _Chromium
    context: BrowserContext
    bridge: AppBridge
    trail: Trail = field(default_factory=Trail)
    visits: int = 0

    async def close(self) -> None:
        # A dead browser's context is closed; asked to close it, some of them never answer.
        if not self.chromium.gone.is_set():
            with suppress(PlaywrightError):
                await self.chromium.answered(self.context.close())
        await self.bridge.close()


@dataclass
class _Session:
    opening: asyncio.Task[_Window]
    users: int = 0


class ChromiumBrowser:
    """One Chromium process. Visits to one app that overlap in time are tabs of one throwaway
    context: they share its cache and its processes, which more than halves the work of a gate that
    opens every page. No page is blamed for what another does to their process: see `visit`."""

    def __init__(self, executable: str = "", answer_s: float = _ANSWER_TIMEOUT_S) -> None:
        self._executable = executable
        self._answer_s = answer_s
        self._playwright: Playwright | None = None
        self._chromium: _Chromium | None = None
        self._launching = asyncio.Lock()
        self._pages = asyncio.Semaphore(_MAX_PAGES)
        self._sessions: dict[str, _Session] = {}

    async def visit(self, visit: PageVisit) -> PageReport:
        """Opens one page; a Chromium that died or froze is replaced once before that is an
        error. A page whose process is stuck is opened again in one of its own. Ends at a deadline
        of its own, whatever the browser answers."""
        for attempt in (1, 2):
            try:
                async with self._window(visit.socket) as window, self._pages:
                    report, stuck = await _see(window, visit)
                if stuck and window.visits > 1:
                    async with self._window_alone(visit.socket) as window, self._pages:
                        report, _ = await _see(window, visit)
                return report
            except PlaywrightError as error:
                if attempt == 2 or not crashed(error):
                    log.warning("chromium failed", error=error.message)
                    raise InfrastructureError(f"Chromium failed: {_first(error)}") from error
        raise AssertionError("unreachable")

    async def warm(self) -> None:
        """Starts Chromium now, so that the first visit does not wait for it."""
        await self._warm()

    async def close(self) -> None:
        async with self._launching:
            await self._end_all("it is closed.")

    async def _end_all(self, why: str) -> None:
        """Asked to end first; what does not answer is killed."""
        chromium, playwright = self._chromium, self._playwright
        self._chromium = self._playwright = None
        if chromium is not None and not chromium.gone.is_set():
            with suppress(PlaywrightError, TimeoutError):
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await chromium.browser.close()
            if not chromium.gone.is_set():
                chromium.end(why)
        if playwright is not None:
            with suppress(PlaywrightError, TimeoutError):
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await playwright.stop()

    async def _warm(self) -> _Chromium:
        async with self._launching:
            if self._chromium is not None and not self._chromium.gone.is_set():
                return self._chromium
            path = find_chromium(self._executable)
            processes = Processes()
            try:
                async with asyncio.timeout(_LAUNCH_TIMEOUT_S):
                    self._chromium = await self._launch(path, processes)
            except (PlaywrightError, TimeoutError) as error:
                log.warning("chromium does not start", path=path, error=str(error))
                await asyncio.to_thread(processes.kill)
                await self._end_all("it does not start.")  # the driver may be what is at fault
                raise InfrastructureError(
                    f"Chromium at {path} does not start: {_why_not(error)}.",
                    action="Run `appfleet doctor`.",
                ) from error
            return self._chromium

    async def _launch(self, path: str, processes: Processes) -> _Chromium:
        if self._playwright is None:
            self._playwright = await async_playwright().start()
        rooted = os.geteuid() == 0
        flags = [*_FLAGS, _RENDERERS, processes.flag, *(["--no-sandbox"] if rooted else [])]
        browser = await self._playwright.chromium.launch(
            executable_path=path, args=flags, chromium_sandbox=not rooted
        )
        chromium = _Chromium(browser, processes, self._answer_s)
        browser.on("disconnected", lambda _: chromium.gone.set())
        return chromium

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

    @asynccontextmanager
    async def _window_alone(self, socket: str) -> AsyncIterator[_Window]:
        window = await self._open(socket)
        try:
            yield window
        finally:
            await window.close()

    def _forget(self, socket: str, session: _Session) -> None:
        if self._sessions.get(socket) is session:
            del self._sessions[socket]

    async def _open(self, socket: str) -> _Window:
        chromium = await self._warm()
        bridge = await AppBridge(socket).open()
        try:
            context = await chromium.answered(
                chromium.browser.new_context(
                    proxy={"server": bridge.proxy_url, "bypass": "<-loopback>"},
                    viewport={"width": _VIEWPORT_WIDTH, "height": _VIEWPORT_HEIGHT},
                    service_workers="block",
                    accept_downloads=False,
                    reduced_motion="reduce",
                )
            )
        except BaseException:
            await bridge.close()
            raise
        return _Window(chromium, context, bridge)


async def _see(window: _Window, visit: PageVisit) -> tuple[PageReport, bool]:
    """The report, and whether the page's process was stuck; raises at once when the browser dies,
    which not every call notices."""
    chromium = window.chromium
    visiting = asyncio.create_task(_look_at(window, visit))
    dying = asyncio.create_task(chromium.gone.wait())
    limit_s = visit.timeout_s + _VISIT_REST_S
    try:
        await asyncio.wait({visiting, dying}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        if visiting.done():
            return visiting.result()
        if dying.done():
            raise PlaywrightError("Chromium has been closed")
        raise chromium.end("a visit did not end.")
    finally:
        for task in (visiting, dying):
            task.cancel()
        # A page is closed even then, and that tells a frozen browser.
        await asyncio.wait({visiting, dying}, timeout=chromium.answer_s + 1.0)
        if visiting.done() and not visiting.cancelled():
            visiting.exception()  # the browser's death says more


async def _look_at(window: _Window, visit: PageVisit) -> tuple[PageReport, bool]:
    chromium = window.chromium
    window.visits += 1
    page = await chromium.answered(window.context.new_page())
    try:
        tab = Tab(page, visit, window.trail)
        report = await tab.report()
        if report.timed_out:
            await chromium.prove_alive()
        return report, tab.stuck
    finally:
        with suppress(PlaywrightError):  # the visit's own error says more
            if not chromium.gone.is_set():
                await chromium.answered(page.close())


def _first(error: PlaywrightError) -> str:
    return error.message.split("\n", 1)[0][:200]


def _why_not(error: PlaywrightError | TimeoutError) -> str:
    """A few words for why it did not start; the log has all that it said."""
    if not isinstance(error, PlaywrightError):
        return f"it is not ready after {_LAUNCH_TIMEOUT_S:.0f} s"
    ended = _EXIT.search(error.message)
    if ended is None:
        return _first(error).removeprefix("BrowserType.launch: ").rstrip(".")
    code, number = ended.groups()
    return "killed" if number == "SIGKILL" else f"it ended with {number or f'code {code}'}"
