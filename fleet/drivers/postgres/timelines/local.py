"""The `Timelines` port on one machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import structlog

from fleet.domain.ids import EndpointId, TimelineId
from fleet.domain.timeline import (
    ComputeState,
    Endpoint,
    Migration,
    SqlResult,
    Timeline,
)
from fleet.drivers.postgres.timelines.address import Address
from fleet.drivers.postgres.timelines.branch import branch_live
from fleet.drivers.postgres.timelines.clone import Cloner, can_reflink
from fleet.drivers.postgres.timelines.compute import Compute
from fleet.drivers.postgres.timelines.files import TimelineFiles
from fleet.drivers.postgres.timelines.layout import Layout, checked_id, owner_of_data, write_json
from fleet.drivers.postgres.timelines.migration import apply_migrations
from fleet.drivers.postgres.timelines.session import app_session, read_tables, run_query
from fleet.drivers.postgres.timelines.template import prepare_template, superuser_password
from fleet.errors import Conflict, InfrastructureError, NotFound

_log = structlog.get_logger(__name__)
_MAX_CHECK_INTERVAL_S = 15.0


class LocalTimelines:
    """One compute per timeline that is in use, one socket per endpoint.

    A compute sleeps after `idle_timeout_s` without a session. Nothing works before `start`.
    """

    def __init__(self, data_dir: Path, run_dir: Path, idle_timeout_s: float) -> None:
        self._layout = Layout(data_dir, run_dir)
        self._idle_timeout_s = idle_timeout_s
        self._files: TimelineFiles | None = None
        self._cloner = Cloner(reflink=False, owner=owner_of_data())
        self._computes: dict[TimelineId, Compute] = {}
        self._addresses: dict[EndpointId, Address] = {}
        self._targets: dict[EndpointId, TimelineId] = {}
        self._watches: set[asyncio.Task[None]] = set()
        self._making: dict[TimelineId, asyncio.Lock] = {}
        self._starts: dict[Compute, asyncio.Task[None]] = {}
        self._closing = False

    # Life

    async def start(self) -> None:
        self._closing = False
        self._layout.make()
        reflink = await asyncio.to_thread(can_reflink, self._layout.timelines)
        self._cloner = Cloner(reflink=reflink, owner=owner_of_data())
        await prepare_template(self._layout)
        self._files = TimelineFiles(self._layout, self._cloner)
        self._files.start()
        for path in sorted(self._layout.endpoints.glob("*.json")):
            note = json.loads(path.read_text())
            self._open(EndpointId(note["endpoint"]), TimelineId(note["timeline"]))
        _log.info("timelines ready", endpoints=len(self._addresses), reflink=reflink)

    async def close(self) -> None:
        self._closing = True
        for address in list(self._addresses.values()):
            await address.close()
        self._addresses.clear()
        if self._starts:
            await asyncio.wait(self._starts.values())  # each has deadlines of its own
        for compute in list(self._computes.values()):
            async with compute.lock:
                await compute.stop()
        if self._watches:
            await asyncio.wait(self._watches)
        if self._files is not None:
            await self._files.close()

    @property
    def _ready(self) -> TimelineFiles:
        if self._files is None:
            raise InfrastructureError("The timelines were not started.")
        return self._files

    # Timelines

    async def create(self, timeline: TimelineId) -> Timeline:
        files = self._ready
        async with self._make_lock(timeline):
            if files.exists(timeline):
                return _same_parent(files.recorded(timeline), None)
            return await files.make(timeline, None, files.from_template)

    async def branch(self, source: TimelineId, timeline: TimelineId) -> Timeline:
        files = self._ready
        async with self._make_lock(timeline):
            if files.exists(timeline):
                return _same_parent(files.recorded(timeline), source)
            compute = self._compute(source)
            async with compute.lock:
                if not files.exists(source):
                    raise NotFound(f"There is no timeline {source}.")
                if compute.awake:
                    password = superuser_password(self._layout)
                    fill = partial(branch_live, compute, password, self._cloner)
                else:
                    fill = partial(files.copy, compute.pgdata)
                return await files.make(timeline, source, fill)

    async def delete(self, timeline: TimelineId) -> None:
        files = self._ready
        if not files.exists(timeline):
            return
        compute = self._compute(timeline)
        async with compute.lock:
            self._show_listeners(timeline)
            await compute.kill()
            await files.remove(timeline)
            compute.clean()
        self._computes.pop(timeline, None)
        self._making.pop(timeline, None)

    async def timelines(self) -> list[TimelineId]:
        return self._ready.all()

    def _make_lock(self, timeline: TimelineId) -> asyncio.Lock:
        return self._making.setdefault(TimelineId(checked_id(timeline)), asyncio.Lock())

    def _compute(self, timeline: TimelineId) -> Compute:
        if not self._ready.exists(timeline):
            raise NotFound(f"There is no timeline {timeline}.")
        if timeline not in self._computes:
            self._computes[timeline] = Compute(
                self._ready.pgdata(timeline),
                self._layout.compute_folder(timeline),
                self._layout.locks / timeline,
            )
        return self._computes[timeline]

    # Endpoints

    async def point(self, endpoint: EndpointId, timeline: TimelineId) -> Endpoint:
        self._compute(timeline)
        previous = self._targets.get(endpoint)
        if previous is not None and previous != timeline:
            await self._suspend(previous, force=True)
        path = self._layout.endpoint_file(endpoint)
        write_json(path, {"endpoint": endpoint, "timeline": timeline})
        self._targets[endpoint] = timeline
        if endpoint not in self._addresses:
            self._open(endpoint, timeline)
        elif previous != timeline:
            self._addresses[endpoint].show_listener()
        return await self.endpoint(endpoint)

    def _open(self, endpoint: EndpointId, timeline: TimelineId) -> None:
        address = Address(
            self._layout.endpoint_folder(endpoint),
            self._layout.listener(endpoint),
            partial(self._holding_socket, endpoint),
        )
        address.open()
        self._targets[endpoint] = timeline
        self._addresses[endpoint] = address

    async def endpoint(self, endpoint: EndpointId) -> Endpoint:
        timeline = self._target(endpoint)
        compute = self._computes.get(timeline)
        return Endpoint(
            id=endpoint,
            timeline=timeline,
            directory=str(self._layout.endpoint_folder(endpoint)),
            compute=compute.state if compute else ComputeState.ASLEEP,
        )

    async def endpoints(self) -> list[Endpoint]:
        return [await self.endpoint(endpoint) for endpoint in sorted(self._targets)]

    async def remove_endpoint(self, endpoint: EndpointId) -> None:
        timeline = self._targets.get(endpoint)
        if timeline is None:
            return
        await self._suspend(timeline, force=True)
        address = self._addresses.pop(endpoint)
        await address.close()
        address.folder.rmdir()
        self._layout.endpoint_file(endpoint).unlink(missing_ok=True)
        del self._targets[endpoint]

    def _target(self, endpoint: EndpointId) -> TimelineId:
        if endpoint not in self._targets:
            raise NotFound(f"There is no endpoint {endpoint}.")
        return self._targets[endpoint]

    # Waking and suspending

    async def wake(self, endpoint: EndpointId) -> None:
        async with self._holding(endpoint):
            pass

    async def suspend(self, endpoint: EndpointId, *, force: bool = False) -> None:
        """Stays awake while a client is connected, unless forced."""
        await self._suspend(self._target(endpoint), force=force)

    @asynccontextmanager
    async def _holding(self, endpoint: EndpointId) -> AsyncIterator[Compute]:
        """Awake when entered, and until left (but for deletion, pointing away and force)."""
        compute = self._compute(timeline := self._target(endpoint))
        compute.holds += 1
        try:
            if not compute.awake:
                await self._awaken(timeline, compute)
            compute.uses += 1
            if self._targets.get(endpoint) == timeline and compute.awake:
                self._addresses[endpoint].show(compute.socket)
            yield compute
        finally:
            compute.holds -= 1
            compute.last_used_s = asyncio.get_running_loop().time()

    async def _awaken(self, timeline: TimelineId, compute: Compute) -> None:
        """One start for all who ask. A caller that is cancelled leaves it to finish by itself."""
        starting = self._starts.get(compute)
        if starting is None or starting.done():
            starting = asyncio.get_running_loop().create_task(self._start(timeline, compute))
            self._starts[compute] = starting
            starting.add_done_callback(partial(self._started, timeline, compute))
        await asyncio.shield(starting)

    async def _start(self, timeline: TimelineId, compute: Compute) -> None:
        async with compute.lock:
            if compute.awake:
                return
            if self._closing:
                raise InfrastructureError("The timelines are being closed.")
            if self._compute(timeline) is not compute:  # deleted, and made again, meanwhile
                raise NotFound(f"Timeline {timeline} was deleted.")
            await compute.start()
            self._watch(timeline, compute)

    def _started(
        self, timeline: TimelineId, compute: Compute, starting: asyncio.Task[None]
    ) -> None:
        if self._starts.get(compute) is starting:
            del self._starts[compute]
        # Logged here too, because every caller may have been cancelled.
        if not starting.cancelled() and (error := starting.exception()) is not None:
            _log.warning("compute did not start", timeline=timeline, error=str(error))

    @asynccontextmanager
    async def _holding_socket(self, endpoint: EndpointId) -> AsyncIterator[Path]:
        async with self._holding(endpoint) as compute:
            yield compute.socket

    async def _suspend(self, timeline: TimelineId, *, force: bool) -> None:
        compute = self._computes.get(timeline)
        if compute is None:
            return
        async with compute.lock:
            if not compute.awake:
                return
            self._show_listeners(timeline)
            if not force and await self._in_use(compute):
                if compute.awake:
                    for address in self._addresses_of(timeline):
                        address.show(compute.socket)
                return
            await compute.stop()

    async def _in_use(self, compute: Compute) -> bool:
        # Our session comes after every one queued before the listener was shown: once it is
        # accepted, so are they, and they count as Postgres's children. Whoever entered meanwhile
        # has shown Postgres's socket again: who is queued there now, nobody has counted.
        uses = compute.uses
        async with app_session(compute.socket_folder):
            clients = compute.client_count() - 1
        return clients > 0 or compute.holds > 0 or compute.uses > uses

    def _addresses_of(self, timeline: TimelineId) -> list[Address]:
        return [
            self._addresses[endpoint]
            for endpoint, target in self._targets.items()
            if target == timeline and endpoint in self._addresses
        ]

    def _show_listeners(self, timeline: TimelineId) -> None:
        for address in self._addresses_of(timeline):
            address.show_listener()

    def _watch(self, timeline: TimelineId, compute: Compute) -> None:
        work = self._watch_until_exit(timeline, compute, compute.exited)
        task = asyncio.get_running_loop().create_task(work)
        self._watches.add(task)
        task.add_done_callback(self._watches.discard)

    async def _watch_until_exit(
        self, timeline: TimelineId, compute: Compute, exited: asyncio.Future[int]
    ) -> None:
        """Listens again when Postgres ends by itself; looks now and then whether it is idle."""
        interval = min(_MAX_CHECK_INTERVAL_S, self._idle_timeout_s / 4)
        loop = asyncio.get_running_loop()
        while not exited.done():
            await asyncio.wait({exited}, timeout=interval)
            if exited.done() or not compute.awake:
                continue
            try:
                if compute.holds or compute.client_count():
                    compute.last_used_s = loop.time()
                elif loop.time() - compute.last_used_s >= self._idle_timeout_s:
                    await self._suspend(timeline, force=False)
            except InfrastructureError as error:
                _log.warning("idle check failed", timeline=timeline, error=str(error))
        if compute.awake and compute.exited is exited:
            self._show_listeners(timeline)
            _log.warning("compute ended by itself", timeline=timeline, log=compute.log_tail())
            await compute.kill()

    # SQL

    async def query(
        self, endpoint: EndpointId, sql: str, *, read_only: bool = True, max_rows: int = 100
    ) -> SqlResult:
        async with self._holding(endpoint) as compute:
            return await run_query(
                compute.socket_folder, sql, read_only=read_only, max_rows=max_rows
            )

    async def migrate(self, endpoint: EndpointId, migrations: Sequence[Migration]) -> list[str]:
        async with self._holding(endpoint) as compute:
            return await apply_migrations(compute.socket_folder, migrations)

    async def tables(self, endpoint: EndpointId) -> dict[str, list[str]]:
        async with self._holding(endpoint) as compute:
            return await read_tables(compute.socket_folder)


def _same_parent(timeline: Timeline, parent: TimelineId | None) -> Timeline:
    if timeline.parent != parent:
        raise Conflict(f"Timeline {timeline.id} exists already, with another parent.")
    return timeline
