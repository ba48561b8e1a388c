"""The gateway as an actor: the one public port, in a process of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import ray

from actors import remote
from actors.node_agent import Route
from fleet.domain.ids import AppSlug, ProjectId
from fleet.domain.workload import WorkloadState
from fleet.settings import Settings
from serve.gateway.gateway import Gateway as PlainGateway
from serve.gateway.gateway import RouteState, RouteTarget


class ActorResolver:
    async def resolve(self, project: ProjectId, app: AppSlug) -> RouteTarget:
        return target_of(await remote.route(project, app))


def target_of(route: Route) -> RouteTarget:
    if not route.known:
        return RouteTarget(state=RouteState.UNKNOWN)
    if route.state is WorkloadState.AWAKE:
        return RouteTarget(state=RouteState.READY, socket=route.socket)
    if route.state is WorkloadState.STARTING:
        return RouteTarget(state=RouteState.STARTING, explanation=route.explanation)
    return RouteTarget(state=RouteState.CRASHED, explanation=route.explanation)


class Gateway:
    def __init__(self, settings: Settings, internal_port: int) -> None:
        self._settings = settings
        self._internal_port = internal_port
        self._task = asyncio.get_running_loop().create_task(self._listen())
        self._gateway: PlainGateway

    async def _listen(self) -> None:
        raise NotImplementedError

    async def ready(self) -> bool:
        await asyncio.shield(self._task)
        return True


def start_gateway(settings: Settings, internal_port: int) -> Any:
    actor = ray.remote(num_cpus=0, max_restarts=-1, max_concurrency=100)(Gateway)
    return actor.options(name="Gateway", namespace=remote.NAMESPACE, get_if_exists=True).remote(
        settings, internal_port
    )
