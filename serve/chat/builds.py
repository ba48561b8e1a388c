"""Builds of a project and the stream of its events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse

from fleet.domain.build import Build, BuildState
from fleet.domain.ids import BuildId
from fleet.domain.project import Project
from fleet.errors import Conflict, InvalidInput, NotFound
from fleet.generation.budget import duration
from fleet.generation.outcome import OWNER_SPENT
from fleet.generation.transcript import transcript_text
from serve.chat.auth import OwnedProject, Services, must_be_active
from serve.chat.metrics import ChatMetrics
from serve.chat.platform import ChatServices
from serve.chat.results import (
    AppView,
    BuildRecord,
    BuildResult,
    BuildSummary,
    build_result,
    build_summary,
    first_app,
)
from serve.chat.spending import build_spending, owner_has_room_at
from serve.chat.stream import EventStream, parse_event_number
from serve.chat.views import Continued

router = APIRouter(prefix="/v1/projects/{project}", tags=["builds"])


@router.get("/builds")
async def list_builds(project: OwnedProject, services: Services) -> list[BuildSummary]:
    """Oldest first."""
    now = datetime.now(UTC)
    return [build_summary(b, now) for b in await services.store.builds(project.id)]


@router.get("/builds/{build}")
async def show_build(project: OwnedProject, build: str, services: Services) -> BuildResult:
    found = await _build_of(services, project, build)
    record = BuildRecord(
        build=found,
        tasks=await services.store.tasks(found.id),
        steps=await services.store.steps(found.id),
        verdicts=await services.store.verdicts(found.id),
    )
    slug = first_app(project)
    app = AppView(slug=slug, preview_url=services.platform.preview_url(project.id, slug))
    now = datetime.now(UTC)
    spent = build_spending(found, record.steps, services.settings, now)
    return build_result(record, app, now).model_copy(update={"spending": spent})


@router.get("/builds/{build}/transcript", response_class=Response)
async def show_transcript(project: OwnedProject, build: str, services: Services) -> Response:
    """Everything a replay of the build needs, in one document; see `appfleet replay`."""
    found = await _build_of(services, project, build)
    transcript = await services.platform.transcript(found.id)
    return Response(transcript_text(transcript), media_type="application/json")


@router.post("/continue", status_code=202)
async def continue_build(project: OwnedProject, services: Services) -> Continued:
    """Gives the build that ran out of budget a fresh one; it goes on after its last step."""
    must_be_active(project)
    builds = await services.store.builds(project.id)
    stopped = [b for b in builds if b.state is BuildState.OUT_OF_BUDGET] or builds
    if not stopped:
        raise Conflict(
            f"Project {project.id} has no build to continue.", action="Send it a message."
        )
    if stopped[-1].state is BuildState.OUT_OF_BUDGET:
        await _require_room(services, project)
    before = await services.store.last_event(project.id)
    build = await services.store.continue_build(stopped[-1].id)
    return Continued(project=project.id, build=build.id, after=before)


async def _require_room(services: ChatServices, project: Project) -> None:
    """Conflict while the owner's builds have spent the period: it would end again at once."""
    settings, now = services.settings, datetime.now(UTC)
    again = await owner_has_room_at(services.store, project.owner, settings, now)
    if again is not None:
        raise Conflict(
            f"{OWNER_SPENT} what they may in {duration(settings.owner_period_s)}.",
            action=f"Continue at {again:%Y-%m-%d %H:%M} UTC or later.",
        )


@router.get("/events", response_class=StreamingResponse)
async def stream_events(
    request: Request,
    project: OwnedProject,
    services: Services,
    last_event_id: Annotated[str | None, Header()] = None,
    after: str | None = None,
    until_build: str | None = None,
) -> StreamingResponse:
    """Server-sent events: id is the event's number, data the event. Resumes after the
    `Last-Event-ID` header or `?after=`; `?until_build=` ends it after that build's last event."""
    number = parse_event_number(last_event_id, "Last-Event-ID")
    if number is None:
        number = parse_event_number(after, "after") or 0
    await _must_exist(services, project, number)
    until = (await _build_of(services, project, until_build)).id if until_build else None
    stream = EventStream(services.store, project.id, services.heartbeat_s, until)
    return StreamingResponse(
        _measured(stream.frames(number), request.app.state.metrics),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _must_exist(services: ChatServices, project: Project, number: int) -> None:
    """A number the project never reached would wait for ever and then leave events out."""
    if number > 0 and not await services.store.events(project.id, number - 1, limit=1):
        raise InvalidInput(
            f"Project {project.id} has no event {number}: its last one has a smaller number.",
            action="Send the id of the last event you received, or leave it out to get them all.",
        )


async def _measured(frames: AsyncIterator[str], metrics: ChatMetrics) -> AsyncIterator[str]:
    with metrics.watchers.track_inprogress():
        async for text in frames:
            if text.startswith("id:"):
                metrics.events.inc()
            yield text


async def _build_of(services: ChatServices, project: Project, build: str) -> Build:
    unknown = NotFound(f"Project {project.id} has no build {build[:80]!r}.")
    if not build.isascii() or not build.isprintable():
        raise unknown
    try:
        found = await services.store.build(BuildId(build))
    except NotFound as error:
        raise unknown from error
    if found.project != project.id:
        raise unknown
    return found
