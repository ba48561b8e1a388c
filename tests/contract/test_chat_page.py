"""The chat page in Chromium, over the API in this process: a build that ran out is continued."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Page, async_playwright

from fleet.domain.event import EventKind, NewEvent
from fleet.domain.token import hash_token, new_token
from fleet.drivers.chromium.browser import find_chromium
from fleet.settings import Price, Settings
from serve.chat.app import create_chat_app
from serve.chat.platform import ChatServices
from tests.unit.generation_world import LEASE_TTL_S, World
from tests.unit.quiet_platform import QuietPlatform
from tests.unit.test_generation_build import two_tasks

WAIT_MS = 20_000


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 (uvicorn offers no event for it)
        await asyncio.sleep(0.01)
    yield f"http://localhost:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await asyncio.wait_for(running, 20)


@asynccontextmanager
async def browsed(url: str, faults: list[str]) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=str(find_chromium()), args=["--no-sandbox"]
        )
        page = await browser.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        await page.goto(url)
        yield page
        await browser.close()


@pytest.fixture
async def world() -> World:
    """A build out of budget in its first task, with events that few builds have."""
    settings = Settings(
        lease_ttl_s=LEASE_TTL_S,
        max_task_attempts=3,
        max_steps=5,
        model_prices={"blueprint": Price(prompt=3, completion=15)},
    )
    made = World(two_tasks(), settings)
    build = await made.post("A CRM with customers")
    await made.run()
    spiral = {"level": "forced", "text": "it repeated the same call"}
    for kind, payload in (
        (EventKind.SPIRAL_SAME_CALL, spiral),
        (EventKind.SCOPE_LEFT, {"path": "server/a.ts", "reason": "the type lives there"}),
    ):
        await made.store.append_event(
            made.project, build.id, NewEvent(kind=kind, payload=dict(payload))
        )
    return made


async def test_the_page_continues_a_build_and_tells_what_it_cost(world: World) -> None:
    token = new_token()
    owner = (await world.store.project(world.project)).owner
    await world.store.add_token(owner, hash_token(token), "page")
    services = ChatServices(world.store, QuietPlatform(world.store), world.settings, 0.5)
    faults: list[str] = []
    async with (
        served(create_chat_app(services)) as url,
        browsed(f"{url}/p/{world.project}?token={token}", faults) as page,
    ):
        button = page.get_by_role("button", name="Continue with a fresh budget")
        await button.wait_for(timeout=WAIT_MS)
        card = page.locator("article.build")
        await page.get_by_text("Left of the budget: 0 of 5 steps").wait_for(timeout=WAIT_MS)
        assert "500 tokens in, 50 out, $0.0022" in await card.inner_text()
        await card.locator("details.trail summary").click()
        told = await card.inner_text()
        assert "In circles: it repeated the same call; it may only use the tools" in told
        assert "Outside its files: server/a.ts, because the type lives there" in told
        assert told.index("\n5. ") < told.index("In circles") < told.index("Outside its files")
        assert "spent its 5 steps" in told and "appfleet chat" not in told
        assert len(await page.locator("[data-progress]").inner_text()) <= 160
        assert await page.locator(".bubble").inner_text() == "A CRM with customers"
        await button.click()
        await page.get_by_text("Waiting its turn").first.wait_for(timeout=WAIT_MS)
        assert await button.count() == 0
        assert "Continued with a fresh budget" in await card.locator("p.notice").inner_text()
        for check, outcome, recalled in (("tests", "passed", True), ("browse", "not_run", False)):
            payload = {"check": check, "outcome": outcome, "elapsed_s": 9.9, "recalled": recalled}
            await world.store.append_event(
                world.project,
                (await world.store.builds(world.project))[0].id,
                NewEvent(kind=EventKind.CHECK_FINISHED, payload=dict(payload)),
            )
        await page.get_by_text("passed (unchanged, judged before)").wait_for(timeout=WAIT_MS)
        await page.get_by_text("could not run").wait_for(timeout=WAIT_MS)
        await world.run()
        await page.locator(".pill.succeeded").wait_for(timeout=WAIT_MS)
        assert "Continued with a fresh budget after 7 steps, 1 task done." in (
            await card.inner_text()
        )
    assert [f for f in faults if "DOM" not in f] == []
