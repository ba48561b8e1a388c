"""The HTTP API and the chat page as one FastAPI application, without Ray."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from fleet.errors import AppfleetError
from serve.chat import builds, projects
from serve.chat.auth import Caller, Services, close_session, open_session, owner_of
from serve.chat.errors import ErrorBody, install_error_handlers
from serve.chat.limits import BodyLimit
from serve.chat.metrics import ChatMetrics, CountRequests
from serve.chat.page_files import mount_page
from serve.chat.platform import ChatServices, PlatformStatus
from serve.chat.spending import OwnerSpendingView, owner_spending, period_start
from serve.chat.views import Health, OwnerView, Readiness, SessionRequest

operations = APIRouter(tags=["operations"])
session = APIRouter(prefix="/v1/session", tags=["session"])
_ERRORS = (400, 401, 404, 409, 413, 503)


def create_chat_app(services: ChatServices) -> FastAPI:
    app = FastAPI(
        title="appfleet",
        version=_version(),
        summary="From a chat message to a verified, running app.",
        docs_url=None,  # Swagger's page loads scripts from elsewhere
        redoc_url=None,
        responses={status: {"model": ErrorBody} for status in _ERRORS},
    )
    metrics = ChatMetrics()
    app.state.services = services
    app.state.metrics = metrics
    install_error_handlers(app)
    for router in (projects.router, builds.router, session, operations):
        app.include_router(router)
    mount_page(app, services.platform)
    # JSON may escape every byte of a message as \uXXXX: six bytes for one.
    longest = services.settings.max_message_bytes
    app.add_middleware(BodyLimit, max_bytes=6 * longest + 4_096, message_bytes=longest)
    app.add_middleware(CountRequests, metrics=metrics)
    return app


@session.post("")
async def sign_in(
    body: SessionRequest, request: Request, response: Response, services: Services
) -> OwnerView:
    """Sets the page's session cookie: HttpOnly, SameSite=Strict, for this host only."""
    owner = await owner_of(services.store, body.token.strip())
    open_session(request, response, body.token.strip())
    return OwnerView(owner=owner)


@session.get("")
async def whoami(caller: Caller) -> OwnerView:
    return OwnerView(owner=caller)


@session.delete("", status_code=204)
async def sign_out(request: Request, response: Response, caller: Caller) -> None:
    close_session(request, response)


@operations.get("/v1/status")
async def platform_status(caller: Caller, services: Services) -> PlatformStatus:
    return await services.platform.status()


@operations.get("/v1/usage")
async def usage(caller: Caller, services: Services) -> OwnerSpendingView:
    """What the caller's builds spent in the present period, and what is left of the bounds."""
    now, settings = datetime.now(UTC), services.settings
    spent = await services.store.owner_spending(caller.id, period_start(settings, now))
    return owner_spending(spent, settings, now)


@operations.get("/healthz")
async def healthz() -> Health:
    """The process answers; nothing else is asked."""
    return Health()


@operations.get("/readyz", responses={503: {"model": Readiness}})
async def readyz(services: Services, response: Response) -> Readiness:
    try:
        await services.store.ping()
        problems = tuple(await services.platform.ready())
    except AppfleetError as error:
        problems = (str(error),)
    if problems:
        response.status_code = 503
    return Readiness(ready=not problems, problems=problems)


@operations.get("/metrics", response_class=PlainTextResponse)
async def metrics_page(request: Request, services: Services) -> Response:
    text = await request.app.state.metrics.render(services.store)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _version() -> str:
    try:
        return version("appfleet")
    except PackageNotFoundError:
        return "0"
