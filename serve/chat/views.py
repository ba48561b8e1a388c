"""Request and answer bodies of the API; build results live in `results`."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from fleet.domain.build import Build, BuildState, Message
from fleet.domain.frozen import Frozen
from fleet.domain.ids import AppSlug, BuildId, CommitId, ProjectId
from fleet.domain.project import Owner, Project, ProjectState
from serve.chat.platform import Platform
from serve.chat.results import AppView, BuildSummary


class Request(BaseModel):
    """Unknown fields are refused: a misspelt option must not be ignored silently."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NewProjectRequest(Request):
    message: str
    model: str | None = None
    title: str | None = None


class NewMessageRequest(Request):
    text: str
    model: str | None = None


class SqlRequest(Request):
    """`write` allows changes; without it the statement runs read-only."""

    sql: str
    write: bool = False


class SessionRequest(Request):
    token: str


class Posted(Frozen):
    """The ids to follow: `GET /v1/projects/{project}/events?until_build={build}`."""

    project: ProjectId
    build: BuildId
    message: Message


class Continued(Frozen):
    """What to follow: the build's events numbered above `after`."""

    project: ProjectId
    build: BuildId
    after: int


class ProjectView(Frozen):
    """`last_build` is None before the first message; `last_build_at` is when it last moved."""

    id: ProjectId
    title: str
    state: ProjectState
    head: CommitId | None
    apps: tuple[AppView, ...]
    created_at: datetime
    last_build: BuildState | None = None
    last_build_at: datetime | None = None


class ProjectDetail(ProjectView):
    builds: tuple[BuildSummary, ...]


class LogsView(Frozen):
    app: AppSlug
    text: str


class OwnerView(Frozen):
    owner: Owner


class Readiness(Frozen):
    ready: bool
    problems: tuple[str, ...] = ()


class Health(Frozen):
    ok: bool = True


def project_view(project: Project, last: Build | None, platform: Platform) -> ProjectView:
    return ProjectView(
        id=project.id,
        title=project.title,
        state=project.state,
        head=project.head,
        apps=tuple(
            AppView(slug=app.slug, preview_url=platform.preview_url(project.id, app.slug))
            for app in project.spec.apps
        ),
        created_at=project.created_at,
        last_build=last.state if last else None,
        last_build_at=(last.finished_at or last.started_at or last.created_at) if last else None,
    )
