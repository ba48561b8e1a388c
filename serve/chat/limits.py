"""A bound on every request body, before anything is parsed."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleet.errors import TooLarge
from serve.chat.errors import error_response

# A client that is cut off while it still sends may never read the answer: drain this much first.
_DRAIN_BYTES = 16 * 1024 * 1024


class BodyLimit:
    """Reads the body, at most `max_bytes`, then hands it on in one piece; 413 above that."""

    def __init__(self, app: ASGIApp, max_bytes: int, message_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._message_bytes = message_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        body, size, more = bytearray(), 0, True
        while more and size <= _DRAIN_BYTES:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            chunk = message.get("body", b"")
            size += len(chunk)
            if size <= self._max_bytes:
                body += chunk
            more = message.get("more_body", False)
        if size > self._max_bytes:
            error = TooLarge(
                f"The request is too large: a message may be {self._message_bytes:,} bytes long "
                "at most.",
                action="Shorten it, or send the rest as a second message.",
            )
            await error_response(error)(scope, receive, send)
            return
        await self._app(scope, _Replay(bytes(body), receive), send)


class _Replay:
    """Hands the body over once, then waits for the client to leave, as ASGI does."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        return await self._receive()
