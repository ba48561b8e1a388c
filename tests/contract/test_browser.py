"""The Browser port, on real Chromium and a tiny app on a unix socket."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from fleet.domain.page import PageReport, PageVisit
from fleet.drivers.chromium.browser import ChromiumBrowser, find_chromium
from fleet.errors import SetupError

PAGES = {
    "/": "<div id=root><h1>Hello</h1><p>world</p></div>",
    "/console": "<p>x</p><script>console.error('broken thing')</script>",
    "/asset": "<p>x</p><img src=/missing.png>",
    "/reject": "<p>x</p><script>Promise.reject(new Error('nobody caught me'))</script>",
    "/blank": "<div id=root></div>",
    "/hollow": "<div id=root><nav>menu</nav><main></main></div>",
    "/socket": "<p id=t>waiting</p><script>const s=new WebSocket(`ws://${location.host}/ws`);"
    "s.onmessage=e=>{t.textContent=e.data};s.onopen=()=>s.send('ping');</script>",
    "/slow": "<p>x</p><img src=/slow.png>",
    "/elsewhere": "<p>x</p><script>fetch('http://example.com/x').catch(()=>{});"
    "fetch('http://127.0.0.1:7700/healthz').catch(()=>{})</script>",
    "/chain": "<p id=t>waiting</p><script>fetch('/data').then(r=>r.text()).then(()=>"
    "fetch('/data')).then(r=>r.text()).then(x=>{t.textContent=x})</script>",
}


async def _page(request: web.Request) -> web.StreamResponse:
    if request.path == "/ws":
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"pong to {message.data}")
        return socket
    if request.path == "/data":
        await asyncio.sleep(0.05)
        return web.Response(text="second answer")
    if request.path == "/slow.png":
        await asyncio.sleep(30)
    body = PAGES.get(request.path)
    if body is None:
        raise web.HTTPNotFound
    html = f"<!doctype html><title>t</title><link rel=icon href=data:,><body>{body}"
    return web.Response(text=html, content_type="text/html")


@pytest.fixture
async def app_socket() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory(prefix="af", dir="/tmp") as folder:
        app = web.Application()
        app.router.add_get("/{tail:.*}", _page)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        path = f"{folder}/http.sock"
        await web.UnixSite(runner, path).start()
        yield path
        await runner.cleanup()


@pytest.fixture
async def browser() -> AsyncIterator[ChromiumBrowser]:
    chromium = ChromiumBrowser()
    yield chromium
    await chromium.close()


async def test_a_page_is_seen_as_a_person_would_see_it(
    browser: ChromiumBrowser, app_socket: str, tmp_path: Path
) -> None:
    picture = tmp_path / "shots" / "home.png"
    report = await browser.visit(PageVisit(socket=app_socket, path="/", screenshot=str(picture)))
    assert (report.status, report.title, report.timed_out) == (200, "t", False)
    assert "Hello" in report.text
    assert report.visible_elements == 2
    assert report.console == () and report.failed_requests == ()
    assert report.extras["root_empty"] is False
    assert picture.read_bytes().startswith(b"\x89PNG")


async def test_each_kind_of_fault_is_reported(browser: ChromiumBrowser, app_socket: str) -> None:
    async def see(path: str, timeout_s: float = 10.0) -> PageReport:
        return await browser.visit(PageVisit(socket=app_socket, path=path, timeout_s=timeout_s))

    console, asset, reject, blank, socket = await asyncio.gather(
        *(see(p) for p in ("/console", "/asset", "/reject", "/blank", "/socket"))
    )
    assert [(e.level, e.text) for e in console.console] == [("error", "broken thing")]
    assert [(f.status, f.url.rpartition("/")[2]) for f in asset.failed_requests] == [
        (404, "missing.png")
    ]
    assert [e.level for e in reject.console] == ["pageerror"]
    assert "nobody caught me" in reject.console[0].text
    assert blank.visible_elements == 0 and blank.extras["root_empty"] is True
    assert socket.console == ()
    hollow = await see("/hollow")
    assert hollow.visible_elements == 1 and hollow.extras["main_empty"] is True
    slow, elsewhere, chain, missing = await asyncio.gather(
        see("/slow", 0.7), see("/elsewhere"), see("/chain"), see("/nowhere")
    )
    assert slow.timed_out and slow.elapsed_s < 3
    assert {f.url for f in elsewhere.failed_requests} == {
        "http://example.com/x",
        "http://127.0.0.1:7700/healthz",
    }
    assert "second answer" in chain.text
    assert missing.status == 404


async def test_a_websocket_passes_through_the_bridge(
    browser: ChromiumBrowser, app_socket: str
) -> None:
    for _ in range(5):  # nothing in the report waits for a websocket's message
        report = await browser.visit(PageVisit(socket=app_socket, path="/socket"))
        if "pong to ping" in report.text:
            return
    pytest.fail(f"no answer over the websocket: {report}")


async def test_a_dead_app_is_reported_not_raised(browser: ChromiumBrowser) -> None:
    report = await browser.visit(PageVisit(socket="/tmp/af-nothing.sock", path="/", timeout_s=5))
    assert report.status == 0
    assert report.failed_requests


async def test_a_crashed_chromium_is_replaced(browser: ChromiumBrowser, app_socket: str) -> None:
    await browser.visit(PageVisit(socket=app_socket, path="/"))
    assert browser._chromium is not None
    await browser._chromium.browser.close()
    report = await browser.visit(PageVisit(socket=app_socket, path="/"))
    assert "Hello" in report.text


async def test_a_warm_visit_is_quick(browser: ChromiumBrowser, app_socket: str) -> None:
    await browser.visit(PageVisit(socket=app_socket, path="/"))
    report = await browser.visit(PageVisit(socket=app_socket, path="/"))
    print(f"warm visit: {report.elapsed_s * 1000:.0f} ms")
    assert report.elapsed_s < 5


def test_a_missing_chromium_names_the_command() -> None:
    with pytest.raises(SetupError, match="appfleet doctor --fix"):
        find_chromium("/nowhere/chromium")
