"""The chat API under Ray Serve: the app of `serve.chat.app` over the real store and node agent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

from ray import serve
from ray.serve import Application

import fleet
from actors.proxy import (
    NODE_AGENT,
    SUPERVISOR,
    RemoteRuntime,
    RemoteTimelines,
    call_actor,
    producer_names,
    verifier_names,
)
from fleet.assembly import open_store, repositories
from fleet.domain.ids import AppSlug, ProjectId, dev_endpoint, dev_workload
from fleet.domain.timeline import ComputeState, SqlResult
from fleet.domain.workload import WorkloadState
from fleet.errors import AppfleetError
from fleet.lifecycle.delete import delete_project
from fleet.lifecycle.world import World
from fleet.ports import Store
from fleet.settings import Settings
from serve.chat.app import create_chat_app
from serve.chat.platform import ChatServices, ComponentStatus, PlatformStatus

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_PROBE_S = 3.0
DELETE_HOLDER = "chat-api"


class NodePlatform:
    """`serve.chat.platform.Platform`, answered by the actors."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._timelines = RemoteTimelines()
        self._runtime = RemoteRuntime()
        self._started_at = datetime.now(UTC)
        self._store = store
        self._world = World(
            store=store,
            repositories=repositories(settings),
            timelines=self._timelines,
            runtime=self._runtime,
            artefacts_dir=settings.artefacts_dir,
        )

    async def delete_project(self, project: ProjectId) -> None:
        await delete_project(self._world, project, DELETE_HOLDER)

    async def app_logs(self, project: ProjectId, app: AppSlug, lines: int) -> str:
        return await self._runtime.logs(dev_workload(project, app), lines)

    async def query(self, project: ProjectId, sql: str, write: bool) -> SqlResult:
        return await self._timelines.query(
            dev_endpoint(project), sql, read_only=not write, max_rows=1_000
        )

    def preview_url(self, project: ProjectId, app: AppSlug) -> str:
        return f"http://{app}-{project}.localhost:{self._settings.port}/"

    async def ready(self) -> list[str]:
        return [c.detail or f"{c.name} is down." for c in await self._components() if not c.healthy]

    async def status(self) -> PlatformStatus:
        components = await self._components()
        problems = tuple(f"{c.name}: {c.detail}" for c in components if not c.healthy)
        apps = databases = 0
        if not problems:
            apps = sum(s.state is WorkloadState.AWAKE for s in await self._runtime.workloads())
            databases = sum(
                e.compute is ComputeState.AWAKE for e in await self._timelines.endpoints()
            )
        return PlatformStatus(
            version=fleet.__version__,
            started_at=self._started_at,
            components=components,
            problems=problems,
            awake_apps=apps,
            awake_databases=databases,
        )

    async def _components(self) -> tuple[ComponentStatus, ...]:
        names = [
            NODE_AGENT,
            *producer_names(self._settings),
            *verifier_names(self._settings),
            SUPERVISOR,
        ]
        return (await self._database(), *await asyncio.gather(*(self._probe(n) for n in names)))

    async def _database(self) -> ComponentStatus:
        try:
            await self._store.ping()
        except AppfleetError as error:
            return ComponentStatus(name="control database", healthy=False, detail=str(error))
        return ComponentStatus(name="control database", healthy=True)

    async def _probe(self, name: str) -> ComponentStatus:
        try:
            async with asyncio.timeout(_PROBE_S):
                await call_actor(name, "ready", deadline_s=_PROBE_S)
        except (AppfleetError, TimeoutError) as error:
            return ComponentStatus(name=name, healthy=False, detail=str(error) or "no answer")
        return ComponentStatus(name=name, healthy=True)


class ChatAsgi:
    """Opens the store on the first request: a replica has no running loop when it is built."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = asyncio.Lock()
        self._app: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        if self._app is None:
            await self._open()
        await self._app(scope, receive, send)

    async def _open(self) -> None:
        async with self._lock:
            if self._app is None:
                store = await open_store(self._settings)
                platform = NodePlatform(self._settings, store)
                self._app = create_chat_app(
                    ChatServices(store=store, platform=platform, settings=self._settings)
                )


def chat_application(settings: Settings) -> Application:
    def build() -> Any:
        return ChatAsgi(settings)

    decorate: Any = serve.deployment
    deployment = decorate(
        serve.ingress(build)(),
        name="Chat",
        num_replicas=1,
        max_ongoing_requests=1_000,
        ray_actor_options={"num_cpus": 0},
    )
    application: Application = deployment.bind()
    return application
