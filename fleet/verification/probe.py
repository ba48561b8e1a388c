"""Calls a procedure of a live app over its unix socket, exactly as its browser side would."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import TracebackType

import httpx
from pydantic import JsonValue

from fleet.domain.plan import Procedure, ProcedureKind

CALL_TIMEOUT_S = 10.0
_MAX_BODY_BYTES = 1_000_000


@dataclass(frozen=True)
class Answer:
    """`status` is 0 when there was none, and `failure` says why. `body` is the raw text."""

    request: str
    status: int
    body: str
    failure: str = ""

    @property
    def json(self) -> JsonValue:
        try:
            parsed: JsonValue = json.loads(self.body)
        except ValueError:
            return None
        return parsed

    @property
    def shown(self) -> str:
        outcome = f"HTTP {self.status}\n{self.body}" if self.status else self.failure
        return f"{self.request}\n→ {outcome}"


class Prober:
    """`async with Prober(socket) as prober`; the app is addressed as any host would be."""

    def __init__(self, socket: str, timeout_s: float = CALL_TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=socket),
            base_url="http://app.localhost",
            timeout=httpx.Timeout(timeout_s),
            trust_env=False,
        )

    async def __aenter__(self) -> Prober:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def call(self, procedure: Procedure) -> Answer:
        """tRPC 11 over HTTP without a transformer; an absent input is sent as none at all."""
        url = f"/trpc/{procedure.name}"
        given = procedure.example_input
        text = json.dumps(given, ensure_ascii=False)
        if procedure.kind is ProcedureKind.QUERY:
            params = {} if given is None else {"input": text}
            told = f"GET {url}" + ("" if given is None else f"?input={text}")
            return await self._send(self._client.build_request("GET", url, params=params), told)
        request = self._client.build_request(
            "POST",
            url,
            content=b"" if given is None else text.encode(),
            headers={"content-type": "application/json"},
        )
        return await self._send(request, f"POST {url}" + ("" if given is None else f" {text}"))

    async def _send(self, request: httpx.Request, told: str) -> Answer:
        try:
            response = await self._client.send(request, stream=True)
            try:
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _MAX_BODY_BYTES:
                        return Answer(told, 0, "", "the answer is larger than 1 MB")
            finally:
                await response.aclose()
        except httpx.TimeoutException:
            return Answer(told, 0, "", f"no answer within {self._timeout_s:.0f} s")
        except httpx.HTTPError as error:
            return Answer(told, 0, "", f"{type(error).__name__}: {error}")
        return Answer(told, response.status_code, body.decode("utf-8", "replace"))
