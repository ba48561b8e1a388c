"""`/v1/projects`: create by message, list, look at, talk to, delete."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse

from fleet.domain.build import Build, Message
from fleet.domain.ids import AppSlug, new_project_id
from fleet.domain.project import Owner, Project
from fleet.domain.timeline import SqlResult
from fleet.errors import Conflict, InvalidInput, NotFound
from fleet.settings import ANY_MODEL, PREFIX
from serve.chat.artefacts import INLINE_TYPES, artefact_file
from serve.chat.auth import Caller, OwnedProject, Services, must_be_active
from serve.chat.model_names import no_such_model
from serve.chat.platform import ChatServices
from serve.chat.results import build_summary, first_app, messages_of
from serve.chat.text import clean_message, clean_model, clean_sql, clean_title
from serve.chat.views import (
    LogsView,
    NewMessageRequest,
    NewProjectRequest,
    Posted,
    ProjectDetail,
    ProjectView,
    SqlRequest,
    project_view,
)

router = APIRouter(prefix="/v1/projects", tags=["projects"])
_ID_ATTEMPTS = 5


@router.post("", status_code=201)
async def create_project(
    body: NewProjectRequest, caller: Caller, services: Services, response: Response
) -> Posted:
    text = clean_message(body.message, services.settings.max_message_bytes)
    model = await _model_of(services, body.model)
    project = await _new_project(services, caller, text, clean_title(body.title, text))
    message, build = await services.store.post_message(project.id, text, model)
    response.headers["Location"] = f"/v1/projects/{project.id}"
    return _posted(build, message)


async def _model_of(services: ChatServices, name: str | None) -> str | None:
    """Refuses what the platform's models do not offer, before anything is made of it."""
    wanted = clean_model(name)
    _require_price(services, wanted)
    offered = None if wanted is None else await services.platform.models()
    if offered is None or wanted is None or wanted in offered:
        return wanted
    if not await services.platform.has_model(wanted):
        raise no_such_model(wanted, offered)
    return wanted


def _require_price(services: ChatServices, model: str | None) -> None:
    """A name without a price must not be a way around a bound on money."""
    settings = services.settings
    if model is None or not settings.bounds_money or settings.price_of(model) is not None:
        return
    priced = sorted(set(settings.model_prices) - {ANY_MODEL})
    instead = f"Choose one of {', '.join(priced)}" if priced else "Leave the model out"
    raise InvalidInput(
        f"Model {model!r} has no price, and what a build may cost is bounded here.",
        action=f"{instead}, or have the operator add it to {PREFIX}MODEL_PRICES.",
    )


async def _new_project(services: ChatServices, caller: Owner, text: str, title: str) -> Project:
    for _ in range(_ID_ATTEMPTS - 1):
        try:
            return await services.store.create_project(caller.id, new_project_id(text), title)
        except Conflict:
            continue  # a random suffix collided: draw again
    return await services.store.create_project(caller.id, new_project_id(text), title)


@router.get("")
async def list_projects(caller: Caller, services: Services) -> list[ProjectView]:
    """Newest first."""
    projects = await services.store.projects(caller.id)
    newest = {b.project: b for b in await services.store.newest_builds(caller.id)}
    ordered = sorted(projects, key=lambda p: p.created_at, reverse=True)
    return [project_view(p, newest.get(p.id), services.platform) for p in ordered]


@router.get("/{project}")
async def show_project(project: OwnedProject, services: Services) -> ProjectDetail:
    now = datetime.now(UTC)
    builds = await services.store.builds(project.id)
    view = project_view(project, builds[-1] if builds else None, services.platform)
    return ProjectDetail(**dict(view), builds=tuple(build_summary(b, now) for b in builds))


@router.delete("/{project}", status_code=204)
async def delete_project(project: OwnedProject, services: Services) -> None:
    """Answers when everything is gone: app, database, repository, record."""
    await services.platform.delete_project(project.id)


@router.post("/{project}/messages", status_code=201)
async def post_message(
    project: OwnedProject, body: NewMessageRequest, services: Services
) -> Posted:
    """Queues a build. While another one runs, this one waits its turn."""
    text = clean_message(body.text, services.settings.max_message_bytes)
    must_be_active(project)
    model = await _model_of(services, body.model)
    message, build = await services.store.post_message(project.id, text, model)
    return _posted(build, message)


@router.get("/{project}/messages")
async def list_messages(project: OwnedProject, services: Services) -> list[Message]:
    return messages_of(await services.store.builds(project.id))


@router.get("/{project}/logs")
async def app_logs(
    project: OwnedProject,
    services: Services,
    app: str | None = None,
    lines: Annotated[int, Query(ge=1, le=5_000)] = 200,
) -> LogsView:
    slug = _app_of(project, app)
    return LogsView(app=slug, text=await services.platform.app_logs(project.id, slug, lines))


@router.post("/{project}/sql")
async def run_sql(project: OwnedProject, body: SqlRequest, services: Services) -> SqlResult:
    """One statement on the dev database, as the app's own role."""
    sql = clean_sql(body.sql, services.settings.max_message_bytes)
    return await services.platform.query(project.id, sql, body.write)


@router.get("/{project}/artefacts/{path:path}", response_class=FileResponse)
async def artefact(project: OwnedProject, path: str, services: Services) -> FileResponse:
    file = artefact_file(services.settings.artefacts_dir, project.id, path)
    kind = INLINE_TYPES.get(file.suffix.lower())
    disposition = "inline" if kind else "attachment"
    return FileResponse(
        file,
        media_type=kind or "application/octet-stream",
        filename=file.name,
        content_disposition_type=disposition,
        headers={"Cache-Control": "private, max-age=3600"},
    )


def _app_of(project: Project, app: str | None) -> AppSlug:
    if app is None:
        return first_app(project)
    for spec in project.spec.apps:
        if spec.slug == app:
            return spec.slug
    raise NotFound(
        f"Project {project.id} has no app {app[:40]!r}.",
        action=f"It has: {', '.join(a.slug for a in project.spec.apps)}.",
    )


def _posted(build: Build, message: Message) -> Posted:
    return Posted(project=build.project, build=build.id, message=message)
