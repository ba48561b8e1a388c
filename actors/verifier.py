"""A pooled verifier: keeps a browser warm and runs whole gates, a few at a time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import structlog

from fleet.assembly import browser, gate, open_store, repositories
from fleet.domain.page import PageReport, PageVisit
from fleet.domain.verdict import CheckResult, GateNotice, GateRequest, Verdict
from fleet.logs import log_to
from fleet.ports import Browser, Gatekeeper, Runtime, Scaffold, Timelines
from fleet.settings import Settings

CONCURRENT_GATES = 2


class _Flight:
    """One gate run in the air; whoever asks for the same run joins it."""

    def __init__(self) -> None:
        self.results: list[CheckResult | GateNotice] = []
        self.task: asyncio.Task[Verdict] | None = None
        self._changed = asyncio.Event()

    def add(self, result: CheckResult | GateNotice) -> None:
        self.results.append(result)
        self.wake()

    def wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def change(self) -> None:
        await self._changed.wait()


class Verifier:
    def __init__(
        self, settings: Settings, timelines: Timelines, runtime: Runtime, scaffold: Scaffold
    ) -> None:
        log_to(settings.data_dir, f"verifier {os.getpid()}")
        self._settings = settings
        self._timelines = timelines
        self._runtime = runtime
        self._scaffold = scaffold
        self._slots = asyncio.Semaphore(CONCURRENT_GATES)
        self._opening = asyncio.Lock()
        self._browser: Browser = browser(settings)
        self._gate: Gatekeeper | None = None
        self._flights: dict[str, _Flight] = {}

    async def ready(self) -> bool:
        await self._open()
        return True

    async def _open(self) -> Gatekeeper:
        async with self._opening:
            if self._gate is None:
                self._gate = gate(
                    self._settings,
                    await open_store(self._settings),
                    repositories(self._settings),
                    (self._timelines, self._runtime, self._browser, self._scaffold),
                )
            return self._gate

    async def visit(self, visit: PageVisit) -> PageReport:
        """The warm browser for a producer that wants to see its draft."""
        return await self._browser.visit(visit)

    async def verify(
        self, request: GateRequest
    ) -> AsyncIterator[CheckResult | GateNotice | Verdict]:
        """Yields each check's result as it finishes, then the verdict.

        A producer host that dies in mid-gate leaves the run in the air. Its successor asks for
        the same run and joins it: a second twin of one name would trample on the first.
        """
        flight = self._flights.get(request.run)
        if flight is None:
            flight = self._take_off(request)
        task, seen = flight.task, 0
        assert task is not None
        while True:
            while seen < len(flight.results):
                yield flight.results[seen]
                seen += 1
            if task.done():
                yield task.result()
                return
            await flight.change()

    def _take_off(self, request: GateRequest) -> _Flight:
        flight = _Flight()
        self._flights[request.run] = flight
        flight.task = asyncio.create_task(self._fly(request, flight))
        flight.task.add_done_callback(lambda _: self._land(request.run, flight))
        return flight

    async def _fly(self, request: GateRequest, flight: _Flight) -> Verdict:
        about = structlog.contextvars.bound_contextvars(
            project=request.project, build=request.build, run=request.run
        )
        with about:
            async with self._slots:
                return await (await self._open()).verify(request, flight.add)

    def _land(self, run: str, flight: _Flight) -> None:
        self._flights.pop(run, None)
        if flight.task is not None and not flight.task.cancelled():
            flight.task.exception()  # whoever joined has it too; nobody may be left to ask
        flight.wake()
