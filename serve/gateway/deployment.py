"""The gateway as an actor: the one public port, in a process of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from actors import proxy
from actors.route import Route
from fleet.domain.ids import AppSlug, ProjectId
from fleet.domain.workload import WorkloadState
from fleet.errors import AppfleetError
from fleet.settings import Settings
from serve.gateway import gateway
from serve.gateway.route import AppHost, RouteState, RouteTarget, WorkloadActivity

log = structlog.get_logger()

ACTIVITY_BEAT_S = 20.0


class ActorResolver:
    async def resolve(self, project: ProjectId, app: AppSlug) -> RouteTarget:
        return target_of(await proxy.route(project, app))


def target_of(route: Route) -> RouteTarget:
    if not route.known:
        return RouteTarget(state=RouteState.UNKNOWN)
    if not route.built:
        # Anybody may open an app's address: why a build failed is for its owner, in the chat.
        return RouteTarget(state=_unbuilt(route))
    if route.state is WorkloadState.AWAKE:
        return RouteTarget(state=RouteState.READY, socket=route.socket)
    if route.state is WorkloadState.STARTING:
        return RouteTarget(state=RouteState.STARTING, explanation=route.explanation)
    return RouteTarget(state=RouteState.CRASHED, explanation=route.explanation, log=route.log)


def _unbuilt(route: Route) -> RouteState:
    if route.state is WorkloadState.STARTING:
        return RouteState.BUILDING
    return RouteState.BUILD_FAILED if route.explanation else RouteState.UNBUILT


class Gateway:
    """Listens as soon as it exists, so that Ray's restart alone brings the port back."""

    def __init__(self, settings: Settings, internal_port: int) -> None:
        options = gateway.GatewayOptions(upstream=f"http://127.0.0.1:{internal_port}")
        self._gateway = gateway.Gateway(ActorResolver(), options, self._note)
        self._port = settings.port
        self._seen: dict[AppHost, WorkloadActivity] = {}
        loop = asyncio.get_running_loop()
        self._listening = loop.create_task(self._gateway.start(self._port))
        self._beat = loop.create_task(self._report_activity())

    def _note(self, activity: WorkloadActivity) -> None:
        self._seen[AppHost(activity.project, activity.app)] = activity

    async def _report_activity(self) -> None:
        """Tells the node agent who is viewed: an open websocket counts all the while."""
        while True:
            await asyncio.sleep(ACTIVITY_BEAT_S)
            for host, activity in list(self._seen.items()):
                if not activity.open_requests and not activity.open_sockets:
                    del self._seen[host]
                try:
                    await proxy.touch(host.project, host.app)
                except AppfleetError as error:
                    log.warning("activity not reported", error=str(error))

    async def ready(self) -> bool:
        await asyncio.shield(self._listening)
        return True


def start_gateway(settings: Settings, internal_port: int) -> Any:
    from actors.remote import as_actor  # only the root process starts actors

    actor = as_actor(Gateway)
    return actor.options(name="Gateway", namespace=proxy.NAMESPACE, get_if_exists=True).remote(
        settings, internal_port
    )
