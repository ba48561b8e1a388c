"""What the chat API asks of the running platform, beyond the record. The node agent answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import JsonValue

from fleet.domain.frozen import Frozen
from fleet.domain.ids import AppSlug, BuildId, ProjectId
from fleet.domain.timeline import SqlResult
from fleet.generation.transcript import Transcript
from fleet.ports import Store
from fleet.settings import Settings


class ComponentStatus(Frozen):
    """One part of the platform: `name` like "producer host 1", `detail` in plain words."""

    name: str
    healthy: bool
    detail: str = ""


class PlatformStatus(Frozen):
    """`problems` are things the operator should mend; empty when all is well."""

    version: str
    started_at: datetime | None = None
    components: tuple[ComponentStatus, ...] = ()
    problems: tuple[str, ...] = ()
    awake_apps: int = 0
    awake_databases: int = 0
    extras: dict[str, JsonValue] = {}


class Platform(Protocol):
    """Errors are those of `fleet.errors`; they are mapped to HTTP in `serve.chat.errors`."""

    async def delete_project(self, project: ProjectId) -> None: ...  # total; again: no-op
    async def models(self) -> list[str] | None: ...  # None: any name may exist
    async def has_model(self, name: str) -> bool: ...  # also names that are in no list
    async def status(self) -> PlatformStatus: ...
    async def app_logs(self, project: ProjectId, app: AppSlug, lines: int) -> str: ...
    async def query(self, project: ProjectId, sql: str, write: bool) -> SqlResult: ...
    async def transcript(self, build: BuildId) -> Transcript: ...
    def preview_url(self, project: ProjectId, app: AppSlug) -> str: ...
    async def ready(self) -> list[str]: ...  # problems that keep it from serving; [] is ready


@dataclass(frozen=True)
class ChatServices:
    """The ports the API stands on. `heartbeat_s` is the longest silence on an event stream."""

    store: Store
    platform: Platform
    settings: Settings
    heartbeat_s: float = 15.0
