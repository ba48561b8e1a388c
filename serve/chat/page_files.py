"""The chat page: three static files and the headers that keep it to itself."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.datastructures import MutableHeaders
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleet.domain.ids import AppSlug, ProjectId
from serve.chat.platform import Platform

PAGE = Path(__file__).parent / "page"


def mount_page(app: FastAPI, platform: Platform) -> None:
    async def index() -> FileResponse:
        return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    # A project has an address of its own, so that it can be bookmarked and reloaded.
    for path in ("/", "/p/{project}"):
        app.add_api_route(path, index, include_in_schema=False, response_class=FileResponse)
    app.mount("/page", StaticFiles(directory=PAGE), name="page")
    app.add_middleware(PageHeaders, policy=content_policy(platform))


def content_policy(platform: Platform) -> str:
    """Own files only; frames only from where apps are served; nobody may frame the page."""
    sample = urlsplit(platform.preview_url(ProjectId("x"), AppSlug("web")))
    apps = f"{sample.scheme}://*.{sample.netloc.partition('.')[2]}"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src 'self'; frame-src {apps}; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


class PageHeaders:
    def __init__(self, app: ASGIApp, policy: str) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers["Content-Security-Policy"] = self._policy
                if scope["path"].startswith("/page/"):
                    headers["Cache-Control"] = "no-cache"
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
