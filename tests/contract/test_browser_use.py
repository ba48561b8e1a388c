"""The Browser port uses pages: forms, links, loops and assets, on real Chromium."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from fleet.domain.page import PageReport, PageVisit
from fleet.drivers.chromium.browser import ChromiumBrowser

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIELDS = (
    "<input name=name required><input type=email required><input type=number min=3 max=9 step=3>"
    "<select required><option value=''>Choose<option value=a>A</select><textarea></textarea>"
)


def form(handler: str, button: str = "<button>Save</button>", fields: str = FIELDS) -> str:
    return (
        f"<p id=t>waiting</p><form>{fields}{button}</form><script>"
        f"document.forms[0].onsubmit = (e) => {{ e.preventDefault(); {handler} }}</script>"
    )


# A router in five lines: any address it does not know is one nobody can mistake for a page.
SPA = (
    "<nav>{links}</nav><main id=m></main><script>"
    "const known = {{'/spa': 'Start', '/about': 'About us', '/rows/1': 'Row one'}};"
    "const show = () => {{ m.textContent = known[location.pathname] ?? 'No such page.' }};"
    "addEventListener('popstate', show); show();</script>"
)
SPA_LINKS = (
    "<a href=/about>About</a><a href=/rows/1>1</a><a href=/rows/2>2</a><a href=/gone>Gone</a>"
)
PAGES = {
    "/dead": form(""),
    "/typed": form("", fields="<input required oninput=\"this.setAttribute('value', 1)\">"),
    "/change": form("t.textContent = 'saved'"),
    "/request": form("fetch('/data', {method: 'POST'})"),
    "/later": form("setTimeout(() => { t.textContent = 'saved' }, 150)"),
    "/dialog": form("alert('saved')"),
    "/throws": form("nobody.home()"),
    "/invalid": form("", fields="<input required pattern='[a-z]{40}'>"),
    "/native": f"<form action=/there>{FIELDS}<button>Go</button></form>",
    "/unwired": f"<form>{FIELDS}<button type=button>Save</button></form>",
    "/delete": form("", button="<button>Delete</button>"),
    "/closed": form("", button="<button disabled>Save</button>"),
    "/spa": SPA.format(links=SPA_LINKS),
    "/loop": "<p>x</p><script>const go = () => fetch('/data').then(go); go()</script>",
    "/tick": "<p>x</p><script>fetch('/data'); setInterval(() => fetch('/data'), 90)</script>",
    "/poll": "<p>x</p><script>fetch('/data'); setInterval(() => fetch('/data'), 900)</script>",
    "/picture": "<p>x</p><img src=/page.png>",
    "/loading": "<main><h1>Rows</h1><p role=status>Loading…</p></main>",
    "/slow": "<main><h1>Rows</h1><p role=status id=t>Loading…</p></main>"
    "<script>setTimeout(() => { t.textContent = 'No rows.' }, 400)</script>",
    "/shell": "<header>App <a href=#main>skip</a></header><div class=page></div>",
}


async def _page(request: web.Request) -> web.StreamResponse:
    if request.path == "/data":
        return web.Response(text="data")
    known = request.path in PAGES or request.path == "/page.png"
    body = PAGES.get(request.path, PAGES["/spa"] if not known else "a page")
    html = f"<!doctype html><title>t</title><link rel=icon href=data:,><body>{body}"
    return web.Response(text=html, content_type="text/html")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app_socket() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory(prefix="af", dir="/tmp") as folder:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", _page)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        path = f"{folder}/http.sock"
        await web.UnixSite(runner, path).start()
        yield path
        await runner.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[ChromiumBrowser]:
    chromium = ChromiumBrowser()
    yield chromium
    await chromium.close()


async def use(browser: ChromiumBrowser, socket: str, path: str) -> PageReport:
    return await browser.visit(
        PageVisit(socket=socket, path=path, timeout_s=20, exercise=True, known=("/spa",))
    )


@pytest.mark.parametrize(
    ("path", "reactions"),
    [
        ("/dead", ["nothing"]),
        ("/typed", ["nothing"]),
        ("/unwired", ["nothing"]),
        ("/change", ["change"]),
        ("/request", ["request"]),
        ("/later", ["change"]),
        ("/dialog", ["dialog"]),
        ("/throws", ["error"]),
        ("/invalid", ["validation"]),
        ("/delete", []),
        ("/closed", ["untried"]),
    ],
)
async def test_a_form_is_filled_in_and_its_reaction_told(
    browser: ChromiumBrowser, app_socket: str, path: str, reactions: list[str]
) -> None:
    report = await use(browser, app_socket, path)
    assert [form.reaction for form in report.forms] == reactions
    assert report.console == (), "what using a page brings about is no fault of its loading"


async def test_a_form_that_leaves_the_page_reacts(
    browser: ChromiumBrowser, app_socket: str
) -> None:
    report = await use(browser, app_socket, "/native")
    assert "nothing" not in [form.reaction for form in report.forms]


async def test_a_page_is_left_alone_unless_it_is_to_be_used(
    browser: ChromiumBrowser, app_socket: str
) -> None:
    report = await browser.visit(PageVisit(socket=app_socket, path="/change"))
    assert report.forms == () and "waiting" in report.text


async def test_links_are_followed_once_for_each_kind_of_record(
    browser: ChromiumBrowser, app_socket: str
) -> None:
    report = await use(browser, app_socket, "/spa")
    assert [(link.href, link.text) for link in report.links] == [
        ("/about", "About us"),
        ("/rows/1", "Row one"),
        ("/gone", "No such page."),
    ]
    assert {link.nothing for link in report.links} == {"No such page."}


async def test_requests_in_circles_are_told_and_polling_is_not(
    browser: ChromiumBrowser, app_socket: str
) -> None:
    for path, repeated in (("/loop", True), ("/tick", True), ("/poll", False)):
        report = await use(browser, app_socket, path)
        assert bool(report.repeated) is repeated, path


async def test_a_page_in_place_of_an_image_is_a_failed_request(
    browser: ChromiumBrowser, app_socket: str
) -> None:
    report = await use(browser, app_socket, "/picture")
    assert [(f.status, f.failure) for f in report.failed_requests] == [
        (200, "there is no such image, only a page")
    ]


async def test_a_page_may_take_a_moment_to_finish_but_not_for_ever(
    browser: ChromiumBrowser, app_socket: str
) -> None:
    assert (await use(browser, app_socket, "/loading")).extras["waiting"] is True
    assert (await use(browser, app_socket, "/slow")).extras["waiting"] is False
    assert (await use(browser, app_socket, "/shell")).extras["main_empty"] is True
