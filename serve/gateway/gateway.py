"""The one public port: host names to apps' unix sockets, everything else to the platform."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import structlog
from aiohttp import web
from yarl import URL

from fleet.errors import AppfleetError, SetupError
from serve.gateway import notices
from serve.gateway.activity import Activity
from serve.gateway.headers import request_headers, response_headers
from serve.gateway.route import (
    AppHost,
    HostMap,
    OnActivity,
    Resolver,
    RouteState,
    RouteTarget,
    host_name,
)
from serve.gateway.routes import Routes
from serve.gateway.websocket import proxy_websocket, wants_websocket

log = structlog.get_logger(__name__)
_CONNECT_TIMEOUT_S = 5.0
_MAX_HEADER_BYTES = 64 * 1024


@dataclass(frozen=True)
class GatewayOptions:
    """`upstream` is the platform's own HTTP server, as "http://127.0.0.1:PORT"."""

    upstream: str
    hosts: HostMap = field(default_factory=HostMap)
    start_wait_s: float = 10.0
    route_ttl_s: float = 5.0


class Gateway:
    """`start` binds, `close` ends every connection; `forget` drops a route that changed."""

    def __init__(
        self, resolver: Resolver, options: GatewayOptions, on_activity: OnActivity | None = None
    ) -> None:
        self._options = options
        self._routes = Routes(resolver, ttl_s=options.route_ttl_s, wait_s=options.start_wait_s)
        self._activity = Activity(on_activity)
        self._runner: web.ServerRunner | None = None
        self._platform: aiohttp.ClientSession | None = None

    async def start(self, port: int, addresses: tuple[str, ...] = ("127.0.0.1",)) -> int:
        """Returns the port, chosen by the system when 0. SetupError when it is taken."""
        self._platform = _session(aiohttp.TCPConnector(limit=0))
        server = web.Server(
            self._handle,
            handler_cancellation=True,  # a client that leaves ends the upstream request too
            max_line_size=_MAX_HEADER_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=2.0)
        await self._runner.setup()
        for address in addresses:
            port = await self._bind(address, port)
        return port

    async def _bind(self, address: str, port: int) -> int:
        assert self._runner is not None
        site = web.TCPSite(self._runner, address, port, reuse_address=True)
        try:
            await site.start()
        except OSError as error:
            await self.close()
            raise SetupError(
                f"Port {port} on {address} cannot be used: {error.strerror}.",
                action="Stop what uses it, or choose another with --port.",
            ) from error
        bound: tuple[str, int] = self._runner.addresses[-1]
        return bound[1]

    async def close(self) -> None:
        await self._routes.close()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._platform is not None:
            await self._platform.close()

    def forget(self, host: AppHost) -> None:
        self._routes.forget(host)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        host = host_name(request.headers.get("Host", ""))
        if self._options.hosts.is_platform(host):
            return await self._to_platform(request)
        app = self._options.hosts.app_of(host)
        if app is None:
            return notices.unknown_host(host).answer(request)
        try:
            return await self._to_app(request, app)
        except AppfleetError as error:
            log.warning("no route", host=host, error=str(error))
            return notices.platform_down(error.message).answer(request)

    async def _to_platform(self, request: web.BaseRequest) -> web.StreamResponse:
        assert self._platform is not None
        try:
            return await _forward(request, self._platform, self._options.upstream, to_app=False)
        except aiohttp.ClientConnectorError as error:
            return notices.platform_down(error.os_error.strerror or "no answer").answer(request)
        except (aiohttp.ClientError, TimeoutError) as error:
            return notices.platform_down(type(error).__name__).answer(request)

    async def _to_app(self, request: web.BaseRequest, app: AppHost) -> web.StreamResponse:
        websocket = wants_websocket(request)
        with self._activity.websocket(app) if websocket else self._activity.request(app):
            target = await self._routes.find(app)
            if target.state is RouteState.READY:
                try:
                    return await self._to_socket(request, target.socket)
                except aiohttp.ClientConnectorError:
                    # Nothing listens there any more. The body is unread, so once more is safe.
                    self._routes.forget(app)
                    target = await self._routes.find(app)
            return await self._second_try(request, app, target)

    async def _second_try(
        self, request: web.BaseRequest, app: AppHost, target: RouteTarget
    ) -> web.StreamResponse:
        name = f"{app.app}-{app.project}"
        if target.state is RouteState.UNKNOWN:
            return notices.unknown_host(request.headers.get("Host", name)).answer(request)
        if target.state is RouteState.STARTING:
            return notices.starting(name).answer(request)
        if target.state is RouteState.CRASHED:
            return notices.crashed(name, target.explanation, target.log).answer(request)
        if target.state in notices.UNBUILT:
            return notices.unbuilt(name, target.state).answer(request)
        try:
            return await self._to_socket(request, target.socket)
        except aiohttp.ClientConnectorError:
            self._routes.forget(app)
            return notices.starting(name).answer(request)

    async def _to_socket(self, request: web.BaseRequest, socket: str) -> web.StreamResponse:
        # One connector per request: a connection to a unix socket is nearly free, and none is
        # kept that could be stale.
        async with _session(aiohttp.UnixConnector(socket, force_close=True)) as session:
            try:
                return await _forward(request, session, "http://app", to_app=True)
            except aiohttp.ClientConnectorError:
                raise
            except (aiohttp.ClientError, TimeoutError) as error:
                name = host_name(request.headers.get("Host", "")).partition(".")[0]
                return notices.broken_answer(name, type(error).__name__).answer(request)


def _session(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=_CONNECT_TIMEOUT_S),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        max_line_size=_MAX_HEADER_BYTES,
        max_field_size=_MAX_HEADER_BYTES,
    )


async def _forward(
    request: web.BaseRequest, session: aiohttp.ClientSession, base: str, *, to_app: bool
) -> web.StreamResponse:
    """Raises ClientError only while the client has been sent nothing."""
    headers = request_headers(
        request.headers, request.remote or "unknown", request.scheme, to_app=to_app
    )
    url = URL(base + request.rel_url.raw_path_qs, encoded=True)
    if wants_websocket(request):
        return await proxy_websocket(request, session, url, headers)
    async with session.request(
        request.method,
        url,
        headers=headers,
        data=request.content if request.can_read_body else None,
        allow_redirects=False,
    ) as upstream:
        answer = web.StreamResponse(
            status=upstream.status,
            reason=upstream.reason,
            headers=response_headers(upstream.headers, from_app=to_app),
        )
        await answer.prepare(request)
        async with _cut_off(request):
            async for chunk in upstream.content.iter_any():
                await answer.write(chunk)
            await answer.write_eof()
        return answer


@asynccontextmanager
async def _cut_off(request: web.BaseRequest) -> AsyncIterator[None]:
    """Half an answer cannot be mended: end the connection so that the client notices."""
    try:
        yield
    except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
        log.info("answer cut off", path=request.path, error=str(error) or type(error).__name__)
        if request.transport is not None:
            request.transport.abort()
        raise asyncio.CancelledError from error
