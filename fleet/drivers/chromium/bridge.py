"""The browser's only way out: a SOCKS5 proxy that knows one host, the app's unix socket.

A proxy rather than a plain port: pages keep one stable origin, websockets pass, and a page cannot
reach anything else of this machine (the platform's own ports, another app) at the network level,
with no per-request interception to slow a load down.
"""

from __future__ import annotations

import asyncio

APP_HOST = "app.localhost"  # *.localhost is a secure context, as the preview's own host is
_CHUNK = 64 * 1024
_HANDSHAKE_TIMEOUT_S = 5.0
_CONNECT = 1
_REPLY_TAIL = b"\x00\x01\x00\x00\x00\x00\x00\x00"


class AppBridge:
    """`bridge = await AppBridge(socket).open()`, then `bridge.proxy_url`, then `close`."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.refused: list[str] = []

    @property
    def proxy_url(self) -> str:
        assert self._server is not None
        return f"socks5://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def open(self) -> AppBridge:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, EOFError, TimeoutError, asyncio.CancelledError):
            # A peer that went away ends its connection; the browser reports what that broke.
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HANDSHAKE_TIMEOUT_S):
            target = await self._handshake(reader, writer)
        if target != f"{APP_HOST}:80":
            self.refused.append(target)
            writer.write(b"\x05\x02" + _REPLY_TAIL)  # not allowed by ruleset
            await writer.drain()
            return
        try:
            app_reader, app_writer = await asyncio.open_unix_connection(self._socket)
        except OSError:
            writer.write(b"\x05\x05" + _REPLY_TAIL)  # connection refused
            await writer.drain()
            return
        try:
            writer.write(b"\x05\x00" + _REPLY_TAIL)
            await asyncio.gather(_pump(reader, app_writer), _pump(app_reader, writer))
        finally:
            app_writer.close()

    @staticmethod
    async def _handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """The SOCKS5 greeting and request (RFC 1928); returns "host:port"."""
        _version, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        _version, command, _reserved, kind = await reader.readexactly(4)
        if kind == 3:
            length = (await reader.readexactly(1))[0]
            host = (await reader.readexactly(length)).decode("ascii", "replace")
        else:
            host = (await reader.readexactly(4 if kind == 1 else 16)).hex()
        port = int.from_bytes(await reader.readexactly(2), "big")
        return f"{host}:{port}" if command == _CONNECT else f"command {command} to {host}:{port}"


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
