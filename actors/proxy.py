"""Actors as the rest of the platform sees them: by name, through the ports.

Every call into another actor is idempotent by the ports' contract, so it is repeated while the
actor is being restarted, up to a deadline; then it is an InfrastructureError. Apart from
`actors.remote`, so that a process that only calls actors need not load what they are made of.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal, cast

import ray
import structlog
from ray.actor import ActorHandle
from ray.exceptions import ActorUnavailableError, RayActorError, RayTaskError

from actors.route import Route
from fleet.domain.ids import AppSlug, EndpointId, ProjectId, TimelineId, WorkloadId
from fleet.domain.page import PageReport, PageVisit
from fleet.domain.timeline import Endpoint, Migration, SqlResult, Timeline
from fleet.domain.verdict import CheckResult, GateNotice, GateRequest, Verdict
from fleet.domain.workload import (
    Command,
    CommandResult,
    PackageChange,
    PackageManifest,
    Workload,
    WorkloadStatus,
)
from fleet.errors import AppfleetError, InfrastructureError, in_short
from fleet.ports import OnCheck
from fleet.settings import Settings

NAMESPACE = "appfleet"
NODE_AGENT = "NodeAgent"
SUPERVISOR = "Supervisor"
RESTART_DEADLINE_S = 60.0
# The build tries a few times more, with pauses; see fleet/generation/build.py.
GATE_TRIES = 2
_RETRY_DELAY_S = 0.2
# A verifier that has nothing to say for so long is asked whether it lives, and is to answer.
SILENCE_S = 30.0
ANSWER_S = 30.0
# Beyond a page's own deadline: a Chromium replaced on the way, and a turn among other visits.
VISIT_REST_S = 240.0

log = structlog.get_logger()

PortName = Literal["timelines", "runtime"]


def actor(name: str) -> ActorHandle[Any]:
    return ray.get_actor(name, namespace=NAMESPACE)


async def call_actor(name: str, method: str, *args: object, deadline_s: float = 60.0) -> Any:
    """Calls an actor by name, again while it is being restarted. Unwraps our own errors."""
    give_up_at = time.monotonic() + deadline_s
    while True:
        try:
            return await getattr(actor(name), method).remote(*args)
        except (RayActorError, ActorUnavailableError, ValueError) as error:
            # ValueError: Ray has no actor of that name (yet).
            if time.monotonic() > give_up_at:
                raise InfrastructureError(
                    f"{name} does not answer ({type(error).__name__}).",
                    action="Look at it in the Ray dashboard; `appfleet doctor` checks the machine.",
                ) from error
        except RayTaskError as error:
            raise _own(error) from error
        await asyncio.sleep(_RETRY_DELAY_S)


def _own(error: RayTaskError) -> BaseException:
    cause = error.cause
    return cause if isinstance(cause, AppfleetError) else error


class _NodePort:
    def __init__(self, port: PortName) -> None:
        self._port = port

    async def _call(self, method: str, *args: object, **kwargs: object) -> Any:
        return await call_actor(NODE_AGENT, "call", self._port, method, args, kwargs)


class RemoteTimelines(_NodePort):
    """`Timelines` of the node agent."""

    def __init__(self) -> None:
        super().__init__("timelines")

    async def create(self, timeline: TimelineId) -> Timeline:
        return cast("Timeline", await self._call("create", timeline))

    async def branch(self, source: TimelineId, timeline: TimelineId) -> Timeline:
        return cast("Timeline", await self._call("branch", source, timeline))

    async def delete(self, timeline: TimelineId) -> None:
        await self._call("delete", timeline)

    async def timelines(self) -> list[TimelineId]:
        return cast("list[TimelineId]", await self._call("timelines"))

    async def point(self, endpoint: EndpointId, timeline: TimelineId) -> Endpoint:
        return cast("Endpoint", await self._call("point", endpoint, timeline))

    async def endpoint(self, endpoint: EndpointId) -> Endpoint:
        return cast("Endpoint", await self._call("endpoint", endpoint))

    async def endpoints(self) -> list[Endpoint]:
        return cast("list[Endpoint]", await self._call("endpoints"))

    async def remove_endpoint(self, endpoint: EndpointId) -> None:
        await self._call("remove_endpoint", endpoint)

    async def wake(self, endpoint: EndpointId) -> None:
        await self._call("wake", endpoint)

    async def suspend(self, endpoint: EndpointId) -> None:
        await self._call("suspend", endpoint)

    async def query(
        self, endpoint: EndpointId, sql: str, *, read_only: bool = True, max_rows: int = 100
    ) -> SqlResult:
        result = await self._call("query", endpoint, sql, read_only=read_only, max_rows=max_rows)
        return cast("SqlResult", result)

    async def migrate(self, endpoint: EndpointId, migrations: Sequence[Migration]) -> list[str]:
        return cast("list[str]", await self._call("migrate", endpoint, list(migrations)))

    async def tables(self, endpoint: EndpointId) -> dict[str, list[str]]:
        return cast("dict[str, list[str]]", await self._call("tables", endpoint))

    async def start(self) -> None:
        await call_actor(NODE_AGENT, "ready")

    async def close(self) -> None:
        """The node agent owns the real one."""


class RemoteRuntime(_NodePort):
    """`Runtime` of the node agent."""

    def __init__(self) -> None:
        super().__init__("runtime")

    async def prepare(self, workload: Workload) -> None:
        await self._call("prepare", workload)

    async def start(self, workload: Workload) -> WorkloadStatus:
        return cast("WorkloadStatus", await self._call("start", workload))

    async def execute(self, workload: WorkloadId, command: Command) -> CommandResult:
        return cast("CommandResult", await self._call("execute", workload, command))

    async def status(self, workload: WorkloadId) -> WorkloadStatus:
        return cast("WorkloadStatus", await self._call("status", workload))

    async def workloads(self) -> list[WorkloadStatus]:
        return cast("list[WorkloadStatus]", await self._call("workloads"))

    async def logs(self, workload: WorkloadId, lines: int = 200) -> str:
        return str(await self._call("logs", workload, lines))

    async def change_packages(
        self, manifest: PackageManifest, change: PackageChange
    ) -> PackageManifest:
        return cast("PackageManifest", await self._call("change_packages", manifest, change))

    async def stop(self, workload: WorkloadId) -> None:
        await self._call("stop", workload)

    async def delete(self, workload: WorkloadId) -> None:
        await self._call("delete", workload)

    async def close(self) -> None:
        """The node agent owns the real one."""


class RemoteGatekeeper:
    """`Gatekeeper` over the verifier pool.

    A run begins on the same verifier each time, so that a run repeated by a successor meets the
    one still in the air. Where the platform failed it is tried again, on the next verifier of the
    pool or on the only one once it is back under its name; never is that held against the app.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)

    async def verify(self, request: GateRequest, on_check: OnCheck | None = None) -> Verdict:
        first = zlib.crc32(request.run.encode())
        faults: list[InfrastructureError] = []
        while len(faults) < GATE_TRIES:
            step = len(faults) % len(self._names)
            name = self._names[(first + step) % len(self._names)]
            # A twin of its own: what another verifier left is its own to remove, or the sweep's.
            run = f"{request.run}.{name}" if step else request.run
            try:
                return await self._verify_on(
                    name, request.model_copy(update={"run": run}), on_check
                )
            except InfrastructureError as fault:
                log.warning("gate to be repeated", run=run, verifier=name, error=str(fault))
                faults.append(fault)
                if on_check is not None and len(faults) < GATE_TRIES:
                    on_check(GateNotice(text=f"{in_short(fault)} The gate is run again."))
        raise faults[-1]

    async def _verify_on(
        self, name: str, request: GateRequest, on_check: OnCheck | None
    ) -> Verdict:
        await _must_answer(name)
        try:
            stream: Any = actor(name).verify.options(num_returns="streaming").remote(request)
            async for item in _items(name, stream):
                if isinstance(item, Verdict):
                    return item
                if isinstance(item, CheckResult | GateNotice) and on_check is not None:
                    on_check(item)
        except RayTaskError as error:
            raise _own(error) from error
        except (RayActorError, ValueError) as error:
            raise InfrastructureError(f"The verifier {name} died during the gate.") from error
        raise InfrastructureError(f"The verifier {name} ended without a verdict.")


async def _items(name: str, stream: AsyncIterator[Any]) -> AsyncIterator[object]:
    """What a verifier streams. How long it may have to wait for its turn nobody knows, so that a
    silent one is asked whether it is alive instead of being given a deadline."""
    iterator = aiter(stream)
    while True:
        waiting = asyncio.ensure_future(_item(iterator))
        try:
            while not (await asyncio.wait({waiting}, timeout=SILENCE_S))[0]:
                await _must_answer(name)
        except BaseException:
            waiting.cancel()
            raise
        try:
            yield waiting.result()
        except StopAsyncIteration:
            return


async def _item(iterator: AsyncIterator[Any]) -> object:
    return await (await anext(iterator))


async def _must_answer(name: str) -> None:
    try:
        async with asyncio.timeout(RESTART_DEADLINE_S + ANSWER_S):
            await call_actor(name, "ready", deadline_s=RESTART_DEADLINE_S)
    except TimeoutError as error:
        raise InfrastructureError(f"The verifier {name} answers nothing.") from error


class RemoteBrowser:
    """`Browser` of the verifier pool, for producers; one draft always meets the same one."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)

    async def visit(self, visit: PageVisit) -> PageReport:
        name = self._names[zlib.crc32(visit.socket.encode()) % len(self._names)]
        try:
            async with asyncio.timeout(visit.timeout_s + VISIT_REST_S):
                return cast("PageReport", await call_actor(name, "visit", visit))
        except TimeoutError as error:
            raise InfrastructureError(f"The browser of {name} answers nothing.") from error

    async def close(self) -> None:
        """The verifiers own the real ones."""


async def route(project: ProjectId, app: AppSlug) -> Route:
    return cast("Route", await call_actor(NODE_AGENT, "route", project, app, deadline_s=15.0))


async def touch(project: ProjectId, app: AppSlug) -> None:
    await call_actor(NODE_AGENT, "touch", project, app, deadline_s=5.0)


def producer_names(settings: Settings) -> list[str]:
    return [f"producer-{n}" for n in range(settings.producer_hosts)]


def verifier_names(settings: Settings) -> list[str]:
    return [f"verifier-{n}" for n in range(settings.verifiers)]
