"""A pooled verifier: keeps a browser warm and runs whole gates, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fleet.assembly import browser, gate, open_store, repositories
from fleet.domain.verdict import CheckResult, GateRequest, Verdict
from fleet.ports import Browser, Runtime, Scaffold, Timelines
from fleet.settings import Settings
from fleet.verification.gate import Gate

CONCURRENT_GATES = 2


class Verifier:
    def __init__(
        self, settings: Settings, timelines: Timelines, runtime: Runtime, scaffold: Scaffold
    ) -> None:
        self._settings = settings
        self._timelines = timelines
        self._runtime = runtime
        self._scaffold = scaffold
        self._slots = asyncio.Semaphore(CONCURRENT_GATES)
        self._opening = asyncio.Lock()
        self._gate: Gate | None = None
        self._browser: Browser | None = None

    async def ready(self) -> bool:
        await self._open()
        return True

    async def _open(self) -> Gate:
        async with self._opening:
            if self._gate is None:
                self._browser = browser(self._settings)
                self._gate = gate(
                    self._settings,
                    await open_store(self._settings),
                    repositories(self._settings),
                    (self._timelines, self._runtime, self._browser, self._scaffold),
                )
            return self._gate

    async def verify(self, request: GateRequest) -> AsyncIterator[CheckResult | Verdict]:
        """Yields each check's result as it finishes, then the verdict."""
        gate_ = await self._open()
        results: asyncio.Queue[CheckResult | None] = asyncio.Queue()
        async with self._slots:
            task = asyncio.create_task(gate_.verify(request, results.put_nowait))
            task.add_done_callback(lambda _: results.put_nowait(None))
            try:
                while (result := await results.get()) is not None:
                    yield result
                yield await task
            finally:
                task.cancel()
