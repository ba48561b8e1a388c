"""Calls procedures of a live app over its unix socket, exactly as its browser side would."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from types import TracebackType

import httpx
from pydantic import JsonValue

from fleet.domain.plan import Procedure, ProcedureKind

# How long an answer may take: many times what this app takes otherwise on this machine, within
# these bounds. A hanging procedure is waited for beside the others, not before them.
LEAST_DEADLINE_S, MOST_DEADLINE_S = 3.0, 10.0
_TIMES_THE_SLOWEST = 20
_PATIENCE_S, _PATIENCE_AFTER_ONE_S = 1.0, 0.2
_ORIGIN, _HEALTH = "http://app.localhost", "/healthz"
_MAX_BODY_BYTES = 1_000_000

# Words of an answer that never came: the same on every run, so that evidence has one fingerprint.
SILENT = "it does not answer, although the app answers others."
BLOCKS = "while it runs the app answers nothing else."
CUT_OFF = "the app closed the connection without an answer."
GONE = "the app does not take connections any more."
TOO_LARGE = "the answer is larger than 1 MB."


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


@dataclass(frozen=True)
class _Pending:
    procedure: Procedure
    asked_at: float
    task: asyncio.Task[Answer]


class Prober:
    """`async with Prober(socket) as prober`; the app is addressed as any host would be.

    `lost`: the app answers nothing any more, so that asking on would tell nothing.
    """

    def __init__(self, socket: str) -> None:
        self.lost = False
        self._slowest_s = 0.0
        self._pending: list[_Pending] = []
        self._client = httpx.AsyncClient(
            # No TLS on a socket: reading the machine's certificates would take longer than asking.
            transport=httpx.AsyncHTTPTransport(uds=socket, verify=False),
            timeout=httpx.Timeout(None),  # every wait here has a deadline of its own
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
        await _end([pending.task for pending in self._pending])
        await self._client.aclose()

    async def ask(self, procedure: Procedure) -> Answer | None:
        """The answer; None when it is late: `late` then has it, or that there is none."""
        asked_at = time.monotonic()
        task = asyncio.create_task(self._call(procedure))
        patience_s = _PATIENCE_AFTER_ONE_S if self._pending else _PATIENCE_S
        await asyncio.wait([task], timeout=max(patience_s, 4 * self._slowest_s))
        if task.done():
            answer = task.result()
            if answer.status:
                self._slowest_s = max(self._slowest_s, time.monotonic() - asked_at)
            else:
                self.lost = not await self._healthy()
            return answer
        self._pending.append(_Pending(procedure, asked_at, task))
        self.lost = not await self._healthy()
        return None

    async def late(self) -> list[tuple[Procedure, Answer]]:
        """What was late, once it is there or its deadline is over."""
        deadline_s = min(
            max(LEAST_DEADLINE_S, _TIMES_THE_SLOWEST * self._slowest_s), MOST_DEADLINE_S
        )
        answers = []
        for pending in self._pending:
            left_s = pending.asked_at + deadline_s - time.monotonic()
            await asyncio.wait([pending.task], timeout=max(0.0, left_s))
            if pending.task.done():
                answer = pending.task.result()
            else:
                told = _request(pending.procedure)[1]
                answer = Answer(told, 0, "", BLOCKS if self.lost else SILENT)
            answers.append((pending.procedure, answer))
        await _end([pending.task for pending in self._pending])
        self._pending = []
        return answers

    async def _healthy(self) -> bool:
        """Whether the app answers anything at all; how long that takes is a measure of it."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(MOST_DEADLINE_S):
                await self._client.get(f"{_ORIGIN}{_HEALTH}")
        except (TimeoutError, httpx.HTTPError):
            return False
        self._slowest_s = max(self._slowest_s, time.monotonic() - started)
        return True

    async def _call(self, procedure: Procedure) -> Answer:
        request, told = _request(procedure)
        try:
            response = await self._client.send(request, stream=True)
            try:
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _MAX_BODY_BYTES:
                        return Answer(told, 0, "", TOO_LARGE)
            finally:
                await response.aclose()
        except httpx.ConnectError:
            return Answer(told, 0, "", GONE)
        except httpx.HTTPError:
            return Answer(told, 0, "", CUT_OFF)
        return Answer(told, response.status_code, body.decode("utf-8", "replace"))


def _request(procedure: Procedure) -> tuple[httpx.Request, str]:
    """tRPC 11 over HTTP without a transformer; an absent input is sent as none at all."""
    path, given = f"/trpc/{procedure.name}", procedure.example_input
    url = f"{_ORIGIN}{path}"
    text = json.dumps(given, ensure_ascii=False)
    if procedure.kind is ProcedureKind.QUERY:
        params = {} if given is None else {"input": text}
        told = f"GET {path}" + ("" if given is None else f"?input={text}")
        return httpx.Request("GET", url, params=params), told
    content = b"" if given is None else text.encode()
    told = f"POST {path}" + ("" if given is None else f" {text}")
    headers = {"content-type": "application/json"}
    return httpx.Request("POST", url, content=content, headers=headers), told


async def _end(tasks: list[asyncio.Task[Answer]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
