"""The Browser port when Chromium or a page answers nothing: stopped processes, endless scripts."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from fleet.domain.page import PageReport, PageVisit
from fleet.drivers.chromium.browser import ChromiumBrowser
from fleet.drivers.chromium.processes import Processes
from fleet.errors import InfrastructureError

ANSWER_S = 1.0
FORM = "<form onsubmit='event.preventDefault(), fetch(`/x`)'><button>Send</button></form>"


class App:
    """`asked` is set when a page is asked for; `/held` is never answered, and the scripts of
    `/stuck` and of `/stuck-when-used` never end."""

    def __init__(self) -> None:
        self.socket = ""
        self.asked = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.set()
        if request.path == "/held":
            await asyncio.sleep(60)
        html = f"<!doctype html><link rel=icon href=data:,><h1>Hello</h1>{FORM}"
        if request.path == "/stuck":
            html += "<script>for (;;) {}</script>"
        if request.path == "/stuck-when-used":
            html += "<script>addEventListener('submit', () => { for (;;) {} })</script>"
        return web.Response(text=html, content_type="text/html")


@pytest.fixture
async def app() -> AsyncIterator[App]:
    with tempfile.TemporaryDirectory(prefix="af", dir="/tmp") as folder:
        app = App()
        served = web.Application()
        served.router.add_get("/{tail:.*}", app.answer)
        runner = web.AppRunner(served, shutdown_timeout=0.1)
        await runner.setup()
        app.socket = f"{folder}/http.sock"
        await web.UnixSite(runner, app.socket).start()
        yield app
        await runner.cleanup()


@pytest.fixture
async def browser() -> AsyncIterator[ChromiumBrowser]:
    chromium = ChromiumBrowser(answer_s=ANSWER_S)
    await chromium.warm()
    yield chromium
    await chromium.close()


def _processes(browser: ChromiumBrowser) -> Processes:
    assert browser._chromium is not None
    return browser._chromium.processes


def _freeze(processes: Processes) -> None:
    for pid in processes.pids():
        os.kill(pid, signal.SIGSTOP)


async def _in_mid_visit(browser: ChromiumBrowser, app: App) -> asyncio.Task[PageReport]:
    """A visit whose page was asked for, and is not answered."""
    visit = PageVisit(socket=app.socket, path="/held", timeout_s=1.0)
    visiting = asyncio.create_task(browser.visit(visit))
    await asyncio.wait_for(app.asked.wait(), 10)
    return visiting


def _browsers_own(processes: Processes) -> int:
    """The pid of the process that is asked to start the others."""
    return min(processes.pids())


async def test_a_browser_frozen_before_a_visit_is_replaced(
    browser: ChromiumBrowser, app: App
) -> None:
    frozen = _processes(browser)
    _freeze(frozen)
    began = time.monotonic()
    report = await browser.visit(PageVisit(socket=app.socket, path="/"))
    assert "Hello" in report.text and time.monotonic() - began < 10
    assert _processes(browser) is not frozen
    assert not frozen.pids()


async def test_a_browser_frozen_in_mid_visit_is_replaced_and_the_page_is_not_blamed(
    browser: ChromiumBrowser, app: App
) -> None:
    visiting = await _in_mid_visit(browser, app)
    frozen = _processes(browser)
    _freeze(frozen)
    async with asyncio.timeout(25):
        report = await visiting
    assert report.timed_out  # by the second browser, which is well
    assert _processes(browser) is not frozen
    assert not frozen.pids()
    assert "Hello" in (await browser.visit(PageVisit(socket=app.socket, path="/"))).text


async def test_a_page_whose_own_process_was_stopped_is_not_blamed(
    browser: ChromiumBrowser, app: App
) -> None:
    visiting = await _in_mid_visit(browser, app)
    stopped = _processes(browser)
    for pid in stopped.pids() - {_browsers_own(stopped)}:
        os.kill(pid, signal.SIGSTOP)
    async with asyncio.timeout(25):
        await visiting
    assert _processes(browser) is not stopped


async def test_a_deadline_around_a_visit_holds_when_the_browser_is_frozen(
    browser: ChromiumBrowser, app: App
) -> None:
    visit = PageVisit(socket=app.socket, path="/held", timeout_s=30.0)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2.0):
            visiting = asyncio.ensure_future(browser.visit(visit))
            await asyncio.wait_for(app.asked.wait(), 1.5)
            _freeze(_processes(browser))
            await visiting
    assert time.monotonic() - began < 2.0 + 3 * ANSWER_S + 1.0
    assert "Hello" in (await browser.visit(PageVisit(socket=app.socket, path="/"))).text


async def test_a_frozen_browser_can_be_closed(app: App) -> None:
    browser = ChromiumBrowser(answer_s=ANSWER_S)
    await browser.warm()
    frozen = _processes(browser)
    _freeze(frozen)
    async with asyncio.timeout(15):
        await browser.close()
    assert not frozen.pids()


async def test_why_it_does_not_start_is_one_sentence(app: App, tmp_path: Path) -> None:
    fake = tmp_path / "chromium"
    fake.write_text("#!/bin/sh\nfor n in 1 2 3 4 5 6 7 8 9; do echo bus $n >&2; done\nkill -9 $$\n")
    fake.chmod(0o755)
    browser = ChromiumBrowser(str(fake))
    with pytest.raises(InfrastructureError) as caught:
        await browser.visit(PageVisit(socket=app.socket, path="/"))
    await browser.close()
    assert caught.value.message == f"Chromium at {fake} does not start: killed."


@pytest.mark.parametrize(
    "path", ["/stuck", pytest.param("/stuck-when-used", marks=pytest.mark.soak)]
)
async def test_a_page_that_never_ends_takes_no_other_with_it(
    browser: ChromiumBrowser, app: App, path: str
) -> None:
    paths = [path, *(f"/{number}" for number in range(6))]
    visits = [PageVisit(socket=app.socket, path=p, timeout_s=3.0, exercise=True) for p in paths]
    async with asyncio.timeout(60):
        stuck, *others = await asyncio.gather(*(browser.visit(visit) for visit in visits))
    assert stuck.timed_out is (path == "/stuck")
    for report in others:
        assert not report.timed_out
        assert [form.reaction for form in report.forms] == ["request"]
