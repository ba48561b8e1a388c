"""Hosts many builds at once on one event loop; an idle project costs nothing.

The host's name is its lease holder. A successor under the same name knows that its predecessor is
dead, so it takes the leases back at once instead of waiting for them to expire.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import structlog

from fleet.assembly import chat_model, clock, open_store, repositories, sql_judge
from fleet.domain.build import Build
from fleet.domain.catalog import CatalogNote
from fleet.domain.ids import BuildId
from fleet.domain.lease import Lease
from fleet.errors import AppfleetError, LeaseLost
from fleet.generation.build import BuildDependencies, BuildRunner
from fleet.lifecycle.checkpoint import DevCheckpoints
from fleet.lifecycle.converge import DevConverge
from fleet.lifecycle.world import World
from fleet.logs import log_to
from fleet.ports import Browser, Gatekeeper, Runtime, Scaffold, Store, Timelines
from fleet.settings import Settings

log = structlog.get_logger()

CLAIM_WAIT = timedelta(seconds=5)
RETRY_DELAY_S = 1.0
# A fault of ours that comes again and again must end a build, not repeat it for ever.
MAX_CRASHES = 5


class ProducerHost:
    def __init__(
        self,
        name: str,
        settings: Settings,
        ports: tuple[Timelines, Runtime, Gatekeeper, Browser],
        knowledge: tuple[Scaffold, tuple[CatalogNote, ...]],
    ) -> None:
        log_to(settings.data_dir, name)
        self._name = name
        self._settings = settings
        self._ports = ports
        self._knowledge = knowledge
        self._builds: set[asyncio.Task[None]] = set()
        self._crashes: Counter[BuildId] = Counter()
        self._loop_task: asyncio.Task[None] | None = None
        self.run()  # Ray's restart alone must bring the work back

    async def ready(self) -> bool:
        self.run()
        return True

    def run(self) -> None:
        """Starts the claiming loop once; called again, it only makes sure that it still runs."""
        if self._loop_task is None or self._loop_task.done():
            self._loop_task = asyncio.create_task(self._claim_forever())

    async def _claim_forever(self) -> None:
        store = await open_store(self._settings)
        runner = self._runner(store)
        await store.release_leases_of(self._name)
        while True:
            try:
                await self._claim_one(store, runner)
            except AppfleetError as error:
                log.warning("claim failed", holder=self._name, error=str(error))
                await asyncio.sleep(RETRY_DELAY_S)
            except Exception:  # the loop is the process's outermost: it must outlive any fault
                log.exception("claim failed", holder=self._name)
                await asyncio.sleep(RETRY_DELAY_S)

    async def _claim_one(self, store: Store, runner: BuildRunner) -> None:
        while len(self._builds) >= self._settings.builds_per_host:
            await asyncio.wait(self._builds, return_when=asyncio.FIRST_COMPLETED)
        ttl = timedelta(seconds=self._settings.lease_ttl_s)
        claimed = await store.claim_build(self._name, ttl)
        if claimed is None:
            await store.wait_for_work(CLAIM_WAIT)
            return
        build, lease = claimed
        task = asyncio.create_task(self._run(store, runner, build, lease))
        self._builds.add(task)
        task.add_done_callback(self._builds.discard)

    async def _run(self, store: Store, runner: BuildRunner, build: Build, lease: Lease) -> None:
        with structlog.contextvars.bound_contextvars(project=build.project, build=build.id):
            try:
                done = await runner.run(build, lease)
                log.info("build ended", state=done.state, explanation=done.explanation)
            except LeaseLost:
                log.warning("lease lost: a successor works on the build")
            except Exception as error:  # outermost of one build: it is claimed again
                log.exception("build interrupted")
                self._crashes[build.id] += 1
                if self._crashes[build.id] >= MAX_CRASHES:
                    await runner.give_up(build, lease, error)
                await asyncio.sleep(RETRY_DELAY_S)
            finally:
                await _release(store, lease)

    def _runner(self, store: Store) -> BuildRunner:
        timelines, runtime, gatekeeper, browser = self._ports
        scaffold, catalog = self._knowledge
        git = repositories(self._settings)
        world = World(
            store=store,
            repositories=git,
            timelines=timelines,
            runtime=runtime,
            artefacts_dir=self._settings.artefacts_dir,
        )
        return BuildRunner(
            BuildDependencies(
                store=store,
                repositories=git,
                timelines=timelines,
                runtime=runtime,
                model=chat_model(self._settings),
                gatekeeper=gatekeeper,
                converge=DevConverge(world),
                scaffold=scaffold,
                catalog=catalog,
                settings=self._settings,
                clock=clock(),
                browser=browser,
                checkpoints=DevCheckpoints(world, clock().now),
                judge_sql=sql_judge(),
            )
        )


async def _release(store: Store, lease: Lease) -> None:
    try:
        await store.release_lease(lease)
    except AppfleetError as error:
        log.info("lease not released; it expires by itself", key=lease.key, error=str(error))
