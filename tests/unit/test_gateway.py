"""The gateway against real servers on unix sockets."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from actors.route import Route
from fleet.domain.ids import AppSlug, ProjectId
from fleet.domain.workload import WorkloadState
from fleet.errors import SetupError
from serve.gateway.deployment import target_of
from serve.gateway.gateway import Gateway, GatewayOptions
from serve.gateway.route import (
    AppHost,
    HostMap,
    RouteState,
    RouteTarget,
    WorkloadActivity,
    host_name,
)

HTML = {"Accept": "text/html"}
APP = AppHost(ProjectId("crm-x7k2p"), AppSlug("web"))
APP_HOST = "web-crm-x7k2p.localhost"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ScriptedResolver:
    """Answers from a list, the last one for ever."""

    def __init__(self, *targets: RouteTarget) -> None:
        self.targets = list(targets)
        self.asked: list[AppHost] = []

    async def resolve(self, project: ProjectId, app: AppSlug) -> RouteTarget:
        self.asked.append(AppHost(project, app))
        return self.targets.pop(0) if len(self.targets) > 1 else self.targets[0]


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.resolver = ScriptedResolver(RouteTarget(state=RouteState.UNKNOWN))
        self.activity: list[WorkloadActivity] = []
        self._runners: list[web.AppRunner] = []
        self.gateway: Gateway | None = None
        self.port = 0
        self.client = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())

    async def serve_app(self, handler: Handler, name: str = "a.sock") -> RouteTarget:
        runner = await self._runner(handler)
        path = str(self.folder / name)
        await web.UnixSite(runner, path).start()
        return RouteTarget(state=RouteState.READY, socket=path)

    async def serve_platform(self, handler: Handler) -> str:
        runner = await self._runner(handler)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def _runner(self, handler: Handler) -> web.AppRunner:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.2)
        await runner.setup()
        self._runners.append(runner)
        return runner

    async def open(self, *targets: RouteTarget, upstream: str = "http://127.0.0.1:9") -> None:
        if targets:
            self.resolver = ScriptedResolver(*targets)
        options = GatewayOptions(upstream=upstream, start_wait_s=0.5)
        self.gateway = Gateway(self.resolver, options, self.activity.append)
        self.port = await self.gateway.start(0)

    def request(
        self, host: str, path: str = "/", method: str = "GET", **more: object
    ) -> aiohttp.client._RequestContextManager:
        headers = {"Host": f"{host}:{self.port}", **more.pop("headers", {})}  # type: ignore[dict-item]
        url = f"http://127.0.0.1:{self.port}{path}"
        return self.client.request(method, url, headers=headers, allow_redirects=False, **more)  # type: ignore[arg-type]

    async def close(self) -> None:
        await self.client.close()
        if self.gateway is not None:
            await self.gateway.close()
        for runner in self._runners:
            await runner.cleanup()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="af", dir="/tmp"))
    made = World(folder)
    yield made
    await made.close()
    shutil.rmtree(folder)


async def echo(request: web.Request) -> web.StreamResponse:
    return web.json_response(
        {
            "path": request.raw_path,
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "body": len(await request.read()),
        }
    )


def test_a_host_splits_at_the_first_hyphen() -> None:
    hosts = HostMap()
    assert hosts.app_of("web-crm-x7k2p.localhost") == APP
    for wrong in ("localhost", "web.localhost", "-crm.localhost", "web-.localhost", "web-crm.org"):
        assert hosts.app_of(wrong) is None
    assert host_name("[::1]:7700") == "::1"
    assert host_name("WEB-crm.LOCALHOST.:7700") == "web-crm.localhost"


async def test_a_request_reaches_the_app_whatever_the_case_of_its_host(world: World) -> None:
    await world.open(await world.serve_app(echo))
    async with world.request("WEB-Crm-X7k2p.LocalHost", "/a%2Fb?q=%20x&y") as answer:
        body = await answer.json()
    assert answer.status == 200
    assert body["path"] == "/a%2Fb?q=%20x&y"
    assert world.resolver.asked == [APP]
    assert body["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert body["headers"]["x-forwarded-proto"] == "http"
    assert body["headers"]["x-forwarded-host"].lower().startswith(APP_HOST)
    assert body["headers"]["host"].lower().startswith(APP_HOST)


async def test_the_platform_cookie_never_reaches_an_app(world: World) -> None:
    await world.open(await world.serve_app(echo))
    cookie = "a=1; appfleet_session=s3cret; appfleet_session_7700=s3cret; b=2"
    async with world.request(APP_HOST, headers={"Cookie": cookie}) as answer:
        assert (await answer.json())["headers"]["cookie"] == "a=1; b=2"


async def test_an_app_sets_cookies_for_its_own_host_only(world: World) -> None:
    async def sets(request: web.Request) -> web.StreamResponse:
        answer = web.Response()
        answer.headers.add("Set-Cookie", "appfleet_session=evil; Path=/")
        answer.headers.add("Set-Cookie", "own=1; Domain=localhost; Path=/")
        return answer

    await world.open(await world.serve_app(sets))
    async with world.request(APP_HOST) as answer:
        assert answer.headers.getall("Set-Cookie") == ["own=1; Path=/"]


async def test_hop_by_hop_headers_stay_behind(world: World) -> None:
    await world.open(await world.serve_app(echo))
    headers = {"Connection": "keep-alive, X-Hop", "X-Hop": "1", "TE": "trailers", "X-End": "2"}
    async with world.request(APP_HOST, headers=headers) as answer:
        seen = (await answer.json())["headers"]
    assert "x-hop" not in seen and "te" not in seen
    assert seen["x-end"] == "2"


async def test_a_large_body_is_streamed_through(world: World) -> None:
    await world.open(await world.serve_app(echo))

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * 65_536

    async with world.request(APP_HOST, method="POST", data=chunks()) as answer:
        assert (await answer.json())["body"] == 64 * 65_536
    async with world.request(APP_HOST, method="POST", data=b"y" * 100) as answer:
        assert (await answer.json())["headers"]["content-length"] == "100"


async def test_each_chunk_arrives_before_the_next_is_sent(world: World) -> None:
    seen = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b"data: 1\n\n")
        await asyncio.wait_for(seen.wait(), 5)
        await answer.write(b"data: 2\n\n")
        return answer

    await world.open(upstream=await world.serve_platform(stream))
    async with world.request("localhost", "/v1/events") as answer:
        assert await answer.content.readany() == b"data: 1\n\n"
        seen.set()
        assert await answer.content.readany() == b"data: 2\n\n"


async def test_a_client_that_leaves_cancels_the_upstream_request(world: World) -> None:
    cancelled = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"begun")
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return answer

    await world.open(await world.serve_app(endless))
    async with world.request(APP_HOST) as answer:
        await answer.content.readany()
        answer.close()
    await asyncio.wait_for(cancelled.wait(), 5)


async def test_websockets_pass_both_ways_with_their_subprotocol(world: World) -> None:
    async def shout(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=["vite-hmr"])
        await socket.prepare(request)
        async for message in socket:
            if message.data == "bye":
                await socket.close(code=4001, message=b"done")
            elif message.type is aiohttp.WSMsgType.BINARY:
                await socket.send_bytes(message.data[::-1])
            else:
                await socket.send_str(message.data.upper())
        return socket

    await world.open(await world.serve_app(shout))
    async with world.client.ws_connect(
        f"http://127.0.0.1:{world.port}/?token=x",
        headers={"Host": APP_HOST},
        protocols=["vite-hmr"],
    ) as socket:
        assert socket.protocol == "vite-hmr"
        await socket.send_str("hallo")
        assert await socket.receive_str() == "HALLO"
        await socket.send_bytes(b"abc")
        assert await socket.receive_bytes() == b"cba"
        assert world.activity[-1].open_sockets == 1
        await socket.send_str("bye")
        await socket.receive(timeout=5)
        assert socket.close_code == 4001
    await asyncio.sleep(0.05)
    assert world.activity[-1].open_sockets == 0
    assert world.activity[-1].app == "web"


async def test_a_websocket_to_an_app_that_refuses_it_gets_the_refusal(world: World) -> None:
    await world.open(await world.serve_app(echo))
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await world.client.ws_connect(f"http://127.0.0.1:{world.port}/", headers={"Host": APP_HOST})
    assert refused.value.status == 200 or refused.value.status >= 400


async def test_a_starting_app_answers_503_with_a_page_that_refreshes(world: World) -> None:
    await world.open(RouteTarget(state=RouteState.STARTING))
    async with world.request(APP_HOST, headers=HTML) as answer:
        text = await answer.text()
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "1"
    assert 'http-equiv="refresh"' in text and "Starting" in text


async def test_an_app_that_becomes_ready_in_time_answers_at_once(world: World) -> None:
    starting = RouteTarget(state=RouteState.STARTING)
    await world.open(starting, await world.serve_app(echo))
    async with world.request(APP_HOST) as answer:
        assert answer.status == 200


async def test_a_crashed_app_answers_502_with_its_log_escaped(world: World) -> None:
    await world.open(
        RouteTarget(
            state=RouteState.CRASHED, explanation="exit code 1", log="<script>alert(1)</script>"
        )
    )
    async with world.request(APP_HOST, headers=HTML) as answer:
        text = await answer.text()
    assert answer.status == 502
    assert "exit code 1" in text
    assert "&lt;script&gt;" in text and "<script>" not in text
    async with world.request(APP_HOST) as answer:
        assert (await answer.json())["error"]["code"] == "app_crashed"


@pytest.mark.parametrize(
    ("route", "status", "code", "words"),
    [
        (Route(known=True), 404, "app_not_built", "has not been built yet."),
        (
            Route(known=True, state=WorkloadState.STARTING, explanation="It is being built."),
            503,
            "app_building",
            "first build is under way",
        ),
        (
            Route(known=True, explanation="http://127.0.0.1:9/models refused"),
            404,
            "app_build_failed",
            "its last build failed",
        ),
    ],
)
async def test_an_app_that_was_never_built_says_so_and_nothing_of_the_inside(
    world: World, route: Route, status: int, code: str, words: str
) -> None:
    await world.open(target_of(route))
    async with world.request(APP_HOST, headers=HTML) as answer:
        text = await answer.text()
    assert answer.status == status
    assert words in text and "127.0.0.1" not in text and "stopped" not in text
    async with world.request(APP_HOST) as answer:
        assert (await answer.json())["error"]["code"] == code


@pytest.mark.parametrize("host", [APP_HOST, "example.org", "web.localhost", "<b>.localhost"])
async def test_an_unknown_host_answers_404_with_a_page(world: World, host: str) -> None:
    await world.open()
    async with world.request(host, headers=HTML) as answer:
        text = await answer.text()
    assert answer.status == 404
    assert "No such app" in text and "<b>" not in text


async def test_a_route_whose_socket_is_dead_is_resolved_once_more(world: World) -> None:
    dead = RouteTarget(state=RouteState.READY, socket=str(world.folder / "gone.sock"))
    await world.open(dead, await world.serve_app(echo))
    async with world.request(APP_HOST, method="POST", data=b"kept") as answer:
        assert (await answer.json())["body"] == 4
    assert len(world.resolver.asked) == 2


async def test_a_socket_that_stays_dead_says_starting_instead_of_looping(world: World) -> None:
    dead = RouteTarget(state=RouteState.READY, socket=str(world.folder / "gone.sock"))
    await world.open(dead)
    async with world.request(APP_HOST) as answer:
        assert answer.status == 503
    assert len(world.resolver.asked) == 2


async def test_many_requests_ask_the_resolver_once(world: World) -> None:
    await world.open(await world.serve_app(echo))

    async def one() -> int:
        async with world.request(APP_HOST) as answer:
            await answer.read()
            return answer.status

    assert await asyncio.gather(*(one() for _ in range(20))) == [200] * 20
    assert len(world.resolver.asked) == 1


async def test_an_app_that_hangs_up_before_answering_is_a_502(world: World) -> None:
    async def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    await world.open(await world.serve_app(hang_up))
    async with world.request(APP_HOST, headers=HTML) as answer:
        assert answer.status == 502
        assert "No answer" in await answer.text()


async def test_a_platform_that_is_down_is_a_503_for_people_and_programs(world: World) -> None:
    await world.open()
    async with world.request("localhost", headers=HTML) as answer:
        assert answer.status == 503
        assert "appfleet is not answering" in await answer.text()
    async with world.request("127.0.0.1") as answer:
        assert (await answer.json())["error"]["code"] == "platform_down"


async def test_activity_counts_open_requests_and_ends_at_zero(world: World) -> None:
    await world.open(await world.serve_app(echo))
    async with world.request(APP_HOST) as answer:
        await answer.read()
    await asyncio.sleep(0.05)
    assert [a.open_requests for a in world.activity] == [1, 0]


async def test_a_taken_port_is_a_clear_error(world: World) -> None:
    await world.open()
    second = Gateway(world.resolver, GatewayOptions(upstream="http://127.0.0.1:9"))
    with pytest.raises(SetupError, match=f"Port {world.port}"):
        await second.start(world.port)
