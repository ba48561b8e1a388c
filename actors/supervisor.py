"""Heals the fleet: sweeps on a beat, keeps producers claiming, stops previews nobody looks at."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from fleet.assembly import open_store, repositories
from fleet.lifecycle.sweep import SweepReport, sweep
from fleet.lifecycle.world import World
from fleet.logs import log_to
from fleet.ports import Runtime, Timelines
from fleet.settings import Settings

log = structlog.get_logger()


class Supervisor:
    """`chores` are run after each sweep (poke every producer host, stop idle apps)."""

    def __init__(
        self,
        settings: Settings,
        timelines: Timelines,
        runtime: Runtime,
        chores: tuple[Callable[[], Awaitable[object]], ...] = (),
    ) -> None:
        log_to(settings.data_dir, "supervisor")
        self._settings = settings
        self._timelines = timelines
        self._runtime = runtime
        self._chores = chores
        self._world: World | None = None
        self._loop_task: asyncio.Task[None] | None = None
        self.run()  # Ray's restart alone must bring the work back

    async def ready(self) -> bool:
        self.run()
        return True

    def run(self) -> None:
        """Starts the sweeping loop once; called again, it only makes sure that it still runs."""
        if self._loop_task is None or self._loop_task.done():
            self._loop_task = asyncio.create_task(self._sweep_forever())

    async def sweep(self) -> SweepReport:
        """One pass, now; what it changed."""
        if self._world is None:
            self._world = World(
                store=await open_store(self._settings),
                repositories=repositories(self._settings),
                timelines=self._timelines,
                runtime=self._runtime,
                artefacts_dir=self._settings.artefacts_dir,
            )
        return await sweep(self._world, "supervisor")

    async def _sweep_forever(self) -> None:
        while True:
            try:
                report = await self.sweep()
                if report != SweepReport():
                    log.info("sweep mended", **report.model_dump())
                for chore in self._chores:
                    await chore()
            except Exception:  # the supervisor outlives whatever it supervises
                log.exception("sweep failed")
            await asyncio.sleep(self._settings.sweep_interval_s)
