"""Websockets through the gateway, message by message, with the subprotocol the app chose."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

_MAX_MESSAGE_BYTES = 64 * 1024 * 1024
_HEARTBEAT_S = 30.0
_CLOSE_TIMEOUT_S = 2.0

Side = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


def wants_websocket(request: web.BaseRequest) -> bool:
    connection = request.headers.get("Connection", "").lower()
    return "upgrade" in connection and request.headers.get("Upgrade", "").lower() == "websocket"


async def proxy_websocket(
    request: web.BaseRequest, session: aiohttp.ClientSession, url: URL, headers: CIMultiDict[str]
) -> web.StreamResponse:
    """The app is asked first, so that its refusal reaches the client as it was."""
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    protocols = [name.strip() for name in offered.split(",") if name.strip()]
    try:
        upstream = await session.ws_connect(
            url,
            headers=headers,
            protocols=protocols,
            max_msg_size=_MAX_MESSAGE_BYTES,
            timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_TIMEOUT_S),
        )
    except aiohttp.WSServerHandshakeError as error:
        return web.Response(status=error.status, text="The app refused the websocket.")
    async with upstream:
        chosen = [upstream.protocol] if upstream.protocol else []
        client = web.WebSocketResponse(
            protocols=chosen,
            max_msg_size=_MAX_MESSAGE_BYTES,
            heartbeat=_HEARTBEAT_S,  # a viewer who vanished must not count as one for ever
            timeout=_CLOSE_TIMEOUT_S,
            compress=False,
        )
        await client.prepare(request)
        await _splice(client, upstream)
        return client


async def _splice(client: web.WebSocketResponse, upstream: Side) -> None:
    """Until either side ends; the other is then closed with the same code."""
    pumps = {
        asyncio.create_task(_pump(client, upstream)),
        asyncio.create_task(_pump(upstream, client)),
    }
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        results = await asyncio.gather(*pumps, return_exceptions=True)
    for result in results:
        lost = isinstance(result, (ConnectionError, asyncio.CancelledError))
        if isinstance(result, BaseException) and not lost:
            raise result


async def _pump(source: Side, target: Side) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.TEXT:
            await target.send_str(message.data)
        elif message.type is aiohttp.WSMsgType.BINARY:
            await target.send_bytes(message.data)
    code = source.close_code or aiohttp.WSCloseCode.GOING_AWAY
    # 1005 and 1006 mean "no code was sent": they may not be sent themselves.
    await target.close(code=aiohttp.WSCloseCode.GOING_AWAY if code in (1005, 1006) else code)
