"""The chat API under Ray Serve: the app of `serve.chat.app` over the real store and node agent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import structlog
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
from catalog.catalog import load_catalog
from fleet.assembly import open_store, repositories
from fleet.domain.ids import AppSlug, BuildId, ProjectId, dev_endpoint, dev_workload
from fleet.domain.timeline import ComputeState, SqlResult
from fleet.domain.workload import WorkloadState
from fleet.errors import AppfleetError, InfrastructureError
from fleet.generation.transcript import Transcript, export
from fleet.lifecycle.delete import delete_project
from fleet.lifecycle.world import World
from fleet.ports import Store
from fleet.settings import Settings
from serve.chat.app import create_chat_app
from serve.chat.platform import ChatServices, ComponentStatus, PlatformStatus

log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_PROBE_S = 3.0
_STATUS_S = 2.0  # somebody looks at it: an honest "no answer" beats a long wait
_MODELS_S = 10.0
DELETE_HOLDER = "chat-api"


class NodePlatform:
    """`serve.chat.platform.Platform`, answered by the actors."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._timelines = RemoteTimelines()
        self._runtime = RemoteRuntime()
        self._started_at = datetime.now(UTC)
        self._store = store
        self._models: list[str] | None = None
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

    async def transcript(self, build: BuildId) -> Transcript:
        kinds = [entry.kind for entry in load_catalog()]
        return await export(self._store, self._world.repositories, build, self._settings, kinds)

    def preview_url(self, project: ProjectId, app: AppSlug) -> str:
        return f"http://{app}-{project}.localhost:{self._settings.port}/"

    async def models(self) -> list[str] | None:
        """The built-in models' names, asked for once; None at an endpoint of the user's own."""
        if not is_built_in(self._settings.model_base_url):
            return None
        if self._models is None:
            self._models = await model_names(self._settings.model_base_url)
        return self._models

    async def has_model(self, name: str) -> bool:
        """The built-in endpoint's own word: it takes any seed, and lists an example of each."""
        base_url = self._settings.model_base_url
        return not is_built_in(base_url) or await model_exists(base_url, name)

    async def ready(self) -> list[str]:
        components = await self._components(_PROBE_S)
        return [c.detail or f"{c.name} is down." for c in components if not c.healthy]

    async def status(self) -> PlatformStatus:
        components, (apps, databases) = await asyncio.gather(
            self._components(_STATUS_S), self._awake()
        )
        problems = tuple(f"{c.name}: {c.detail}" for c in components if not c.healthy)
        return PlatformStatus(
            version=fleet.__version__,
            started_at=self._started_at,
            components=components,
            problems=problems,
            awake_apps=apps,
            awake_databases=databases,
        )

    async def _awake(self) -> tuple[int, int]:
        """Apps and databases; 0 when the node agent does not tell, which `components` then says."""
        try:
            async with asyncio.timeout(_STATUS_S):
                workloads, endpoints = await asyncio.gather(
                    self._runtime.workloads(), self._timelines.endpoints()
                )
        except (AppfleetError, TimeoutError) as error:
            log.warning("awake apps not counted", error=str(error) or "no answer in time")
            return 0, 0
        return (
            sum(s.state is WorkloadState.AWAKE for s in workloads),
            sum(e.compute is ComputeState.AWAKE for e in endpoints),
        )

    async def _components(self, within_s: float) -> tuple[ComponentStatus, ...]:
        names = [
            NODE_AGENT,
            *producer_names(self._settings),
            *verifier_names(self._settings),
            SUPERVISOR,
        ]
        database = _probe("control database", self._store.ping(), within_s)
        actors = (_probe(n, call_actor(n, "ready", deadline_s=within_s), within_s) for n in names)
        return tuple(await asyncio.gather(database, *actors))


async def _probe(name: str, question: Awaitable[Any], within_s: float) -> ComponentStatus:
    try:
        async with asyncio.timeout(within_s):
            await question
    except (AppfleetError, TimeoutError) as error:
        return ComponentStatus(name=name, healthy=False, detail=str(error) or "no answer")
    return ComponentStatus(name=name, healthy=True)


def is_built_in(base_url: str) -> bool:
    """Whether the models are those `serve.launch` starts beside this API."""
    url = urlsplit(base_url)
    return url.hostname == "127.0.0.1" and url.path.rstrip("/") == "/models/v1"


async def model_names(base_url: str) -> list[str]:
    answer = await _ask(f"{base_url.rstrip('/')}/models", httpx.codes.OK)
    try:
        return [str(model["id"]) for model in answer.json()["data"]]
    except (ValueError, KeyError, TypeError) as error:
        raise _unanswered() from error


async def model_exists(base_url: str, name: str) -> bool:
    url = f"{base_url.rstrip('/')}/models/{quote(name, safe='')}"
    answer = await _ask(url, httpx.codes.OK, httpx.codes.NOT_FOUND)
    return answer.is_success


async def _ask(url: str, *expected: int) -> httpx.Response:
    """Raises InfrastructureError for any other status, and for no answer."""
    try:
        async with httpx.AsyncClient(timeout=_MODELS_S, trust_env=False) as client:
            answer = await client.get(url)
    except httpx.HTTPError as error:
        raise _unanswered() from error
    if answer.status_code not in expected:
        raise _unanswered()
    return answer


def _unanswered() -> InfrastructureError:
    return InfrastructureError(
        "The built-in models do not answer, so the model's name cannot be checked.",
        action="Try again in a moment; `appfleet doctor` checks the machine.",
    )


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
