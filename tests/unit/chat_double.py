"""The part of Store and Platform that the chat API touches, in memory."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from fleet.domain.build import Build, BuildState, Message, Step, Task
from fleet.domain.chat import Usage
from fleet.domain.event import Event, EventKind, NewEvent
from fleet.domain.ids import (
    AppSlug,
    BuildId,
    MessageId,
    OwnerId,
    ProjectId,
    new_id,
)
from fleet.domain.project import Owner, Project, ProjectState, Spec
from fleet.domain.timeline import SqlResult
from fleet.errors import Conflict, NotFound, SqlFailed
from fleet.ports import RecordedVerdict
from serve.chat.platform import PlatformStatus


class ChatStore:
    def __init__(self) -> None:
        self.owners: dict[str, Owner] = {}
        self.tokens: dict[str, Owner] = {}
        self.by_project: dict[str, Project] = {}
        self.by_build: dict[str, Build] = {}
        self.by_event: dict[str, list[Event]] = defaultdict(list)
        self.task_rows: list[Task] = []
        self.step_rows: list[Step] = []
        self.verdict_rows: list[RecordedVerdict] = []
        self._news = asyncio.Condition()

    async def ensure_owner(self, name: str) -> Owner:
        return self.owners.setdefault(name, Owner(id=OwnerId(new_id("own")), name=name))

    async def add_token(self, owner: OwnerId, token_hash: str, label: str) -> None:
        self.tokens[token_hash] = next(o for o in self.owners.values() if o.id == owner)

    async def owner_of_token(self, token_hash: str) -> Owner | None:
        return self.tokens.get(token_hash)

    async def create_project(self, owner: OwnerId, project: ProjectId, title: str) -> Project:
        if project in self.by_project:
            raise Conflict("taken")
        made = Project(
            id=project,
            owner=owner,
            title=title,
            state=ProjectState.ACTIVE,
            spec=Spec(),
            head=None,
            created_at=datetime.now(UTC),
        )
        self.by_project[project] = made
        await self.append_event(project, None, NewEvent(kind=EventKind.PROJECT_CREATED))
        return made

    async def project(self, project: ProjectId) -> Project:
        if project not in self.by_project:
            raise NotFound(f"no project {project}")
        return self.by_project[project]

    async def projects(self, owner: OwnerId | None = None) -> list[Project]:
        return [p for p in self.by_project.values() if owner in (None, p.owner)]

    async def post_message(
        self, project: ProjectId, text: str, model: str | None
    ) -> tuple[Message, Build]:
        now = datetime.now(UTC)
        message = Message(id=MessageId(new_id("msg")), project=project, text=text, created_at=now)
        build = Build(
            id=BuildId(new_id("bld")),
            project=project,
            message=message.id,
            text=text,
            model=model,
            state=BuildState.QUEUED,
            plan=None,
            base=None,
            commit=None,
            explanation="",
            usage=Usage(),
            created_at=now,
            started_at=None,
            finished_at=None,
        )
        self.by_build[build.id] = build
        await self.append_event(
            project, build.id, NewEvent(kind=EventKind.MESSAGE_POSTED, payload={"text": text})
        )
        return message, build

    async def build(self, build: BuildId) -> Build:
        if build not in self.by_build:
            raise NotFound(f"no build {build}")
        return self.by_build[build]

    async def builds(self, project: ProjectId) -> list[Build]:
        return [b for b in self.by_build.values() if b.project == project]

    async def tasks(self, build: BuildId) -> list[Task]:
        return [t for t in self.task_rows if t.build == build]

    async def steps(self, build: BuildId) -> list[Step]:
        return [s for s in self.step_rows if s.build == build]

    async def verdicts(self, build: BuildId) -> list[RecordedVerdict]:
        tasks = {t.id for t in self.task_rows if t.build == build}
        return [v for v in self.verdict_rows if v.task in tasks]

    async def append_event(
        self, project: ProjectId, build: BuildId | None, event: NewEvent
    ) -> Event:
        rows = self.by_event[project]
        made = Event(
            number=len(rows) + 1,
            project=project,
            build=build,
            kind=event.kind,
            payload=event.payload,
            at=datetime.now(UTC),
        )
        rows.append(made)
        async with self._news:
            self._news.notify_all()
        return made

    async def events(self, project: ProjectId, after: int, limit: int = 500) -> list[Event]:
        return self.by_event[project][after : after + limit]

    async def wait_for_events(self, project: ProjectId, after: int, timeout: timedelta) -> bool:
        try:
            async with asyncio.timeout(timeout.total_seconds()), self._news:
                await self._news.wait_for(lambda: len(self.by_event[project]) > after)
        except TimeoutError:
            return False
        return True

    async def ping(self) -> None: ...

    def evolve(self, build: BuildId, **changes: Any) -> None:
        self.by_build[build] = self.by_build[build].model_copy(update=changes)


class QuietPlatform:
    def __init__(self, store: ChatStore, preview: str = "http://{app}-{project}.localhost:7700/"):
        self.store = store
        self.preview = preview
        self.problems: list[str] = []

    async def delete_project(self, project: ProjectId) -> None:
        self.store.by_project.pop(project, None)

    async def status(self) -> PlatformStatus:
        return PlatformStatus(version="1")

    async def app_logs(self, project: ProjectId, app: AppSlug, lines: int) -> str:
        return f"{project} {app} {lines}"

    async def query(self, project: ProjectId, sql: str, write: bool) -> SqlResult:
        if "wrong" in sql:
            raise SqlFailed("syntax error", sqlstate="42601")
        return SqlResult(columns=("n",), rows=((1,),), row_count=1)

    def preview_url(self, project: ProjectId, app: AppSlug) -> str:
        return self.preview.format(app=app, project=project)

    async def ready(self) -> list[str]:
        return self.problems
