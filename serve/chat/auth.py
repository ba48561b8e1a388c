"""Who is asking: a bearer token, or the page's session cookie that holds one."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response

from fleet.domain.ids import ProjectId, is_project_id
from fleet.domain.project import Owner, Project, ProjectState
from fleet.domain.token import hash_token, is_token
from fleet.errors import Conflict, NotFound, Unauthenticated
from fleet.ports import Store
from serve.chat.platform import ChatServices

# The gateway drops every cookie of this name from requests to apps.
SESSION_COOKIE = "appfleet_session"
_SESSION_AGE_S = 30 * 24 * 3600
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_ACTION = "Use the token that `appfleet up` printed, or sign in again."


def services_of(request: Request) -> ChatServices:
    services = request.app.state.services
    assert isinstance(services, ChatServices)
    return services


Services = Annotated[ChatServices, Depends(services_of)]


def cookie_name(request: Request) -> str:
    """Browsers share a host's cookies between ports; the port keeps two platforms apart."""
    port = request.url.port
    return f"{SESSION_COOKIE}_{port}" if port else SESSION_COOKIE


async def owner_of(store: Store, token: str) -> Owner:
    if not is_token(token):
        raise Unauthenticated("This is not an appfleet token.", action=_ACTION)
    owner = await store.owner_of_token(hash_token(token))
    if owner is None:
        raise Unauthenticated("This platform does not know that token.", action=_ACTION)
    return owner


def _refuse_foreign_origin(request: Request) -> None:
    """A cookie is sent by the browser on its own, so a write must come from our own page."""
    origin = request.headers.get("origin")
    if request.method in _SAFE_METHODS or origin is None:
        return
    if urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower():
        raise Unauthenticated("This request comes from another site.", action=_ACTION)


async def current_owner(request: Request, services: Services) -> Owner:
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated(
                "The Authorization header must read 'Bearer TOKEN'.", action=_ACTION
            )
        return await owner_of(services.store, token.strip())
    cookie = request.cookies.get(cookie_name(request))
    if cookie is None:
        raise Unauthenticated("This request carries no token.", action=_ACTION)
    _refuse_foreign_origin(request)
    return await owner_of(services.store, cookie)


Caller = Annotated[Owner, Depends(current_owner)]


async def owned_project(project: str, caller: Caller, services: Services) -> Project:
    """Another owner's project is as unknown as one that never was."""
    unknown = NotFound(
        f"There is no project {project[:80]!r}.", action="`appfleet status` lists your projects."
    )
    if not is_project_id(project):
        raise unknown
    try:
        found = await services.store.project(ProjectId(project))
    except NotFound as error:
        raise unknown from error
    if found.owner != caller.id:
        raise unknown
    return found


OwnedProject = Annotated[Project, Depends(owned_project)]


def must_be_active(project: Project) -> Project:
    if project.state is ProjectState.DELETING:
        raise Conflict(f"Project {project.id} is being deleted.", action="Start a new project.")
    return project


def open_session(request: Request, response: Response, token: str) -> None:
    """Host-only (no Domain): never sent to an app's subdomain; not readable by scripts."""
    response.set_cookie(
        cookie_name(request),
        token,
        max_age=_SESSION_AGE_S,
        httponly=True,
        samesite="strict",
        secure=request.headers.get("x-forwarded-proto", request.url.scheme) == "https",
        path="/",
    )


def close_session(request: Request, response: Response) -> None:
    response.delete_cookie(cookie_name(request), path="/", httponly=True, samesite="strict")
