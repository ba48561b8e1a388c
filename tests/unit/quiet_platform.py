"""A platform that answers at once and does nothing but forget; the record is the shipped fake."""

from __future__ import annotations

from fleet.domain.ids import AppSlug, BuildId, ProjectId
from fleet.domain.timeline import SqlResult
from fleet.drivers.memory.repositories import MemoryRepositories
from fleet.drivers.memory.store import MemoryStore
from fleet.errors import SqlFailed
from fleet.generation.transcript import Transcript, export
from fleet.settings import Settings
from serve.chat.platform import PlatformStatus


class QuietPlatform:
    def __init__(self, store: MemoryStore, preview: str = "http://{app}-{project}.localhost:7700/"):
        self.store = store
        self.preview = preview
        self.problems: list[str] = []
        self.offered: list[str] | None = None

    async def delete_project(self, project: ProjectId) -> None:
        await self.store.forget_project(project)

    async def models(self) -> list[str] | None:
        return self.offered

    async def has_model(self, name: str) -> bool:
        return name in (self.offered or [])

    async def status(self) -> PlatformStatus:
        return PlatformStatus(version="1")

    async def app_logs(self, project: ProjectId, app: AppSlug, lines: int) -> str:
        return f"{project} {app} {lines}"

    async def query(self, project: ProjectId, sql: str, write: bool) -> SqlResult:
        if "wrong" in sql:
            raise SqlFailed("syntax error", sqlstate="42601")
        return SqlResult(columns=("n",), rows=((1,),), row_count=1)

    async def transcript(self, build: BuildId) -> Transcript:
        return await export(self.store, MemoryRepositories(), build, Settings())

    def preview_url(self, project: ProjectId, app: AppSlug) -> str:
        return self.preview.format(app=app, project=project)

    async def ready(self) -> list[str]:
        return self.problems
