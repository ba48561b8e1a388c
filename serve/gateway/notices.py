"""The gateway's own answers: a readable page for people, the API's error shape for programs."""

from __future__ import annotations

import html
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template

from aiohttp import web

from serve.gateway.route import RouteState

_PAGES = Path(__file__).parent / "pages"
MAX_LOG_CHARS = 8_000


@dataclass(frozen=True)
class Notice:
    """`template` names a file in pages/; `fields` fill it, escaped."""

    template: str
    status: int
    code: str
    message: str
    action: str
    fields: dict[str, str]
    retry_after_s: int = 0

    def answer(self, request: web.BaseRequest) -> web.Response:
        headers = {"Cache-Control": "no-store"}
        if self.retry_after_s:
            headers["Retry-After"] = str(self.retry_after_s)
        if "text/html" not in request.headers.get("Accept", ""):
            detail = {"code": self.code, "message": self.message, "action": self.action}
            return web.json_response({"error": detail}, status=self.status, headers=headers)
        headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
        fields = {"message": self.message, "action": self.action, **self.fields}
        escaped = {name: html.escape(value) for name, value in fields.items()}
        body = _template("frame").substitute(
            title=escaped.get("title", "appfleet"),
            refresh=f'<meta http-equiv="refresh" content="{self.retry_after_s}">'
            if self.retry_after_s
            else "",
            body=_template(self.template).substitute(escaped),
        )
        return web.Response(
            text=body, status=self.status, content_type="text/html", headers=headers
        )


@cache
def _template(name: str) -> Template:
    return Template((_PAGES / f"{name}.html").read_text(encoding="utf-8"))


def unknown_host(host: str) -> Notice:
    return Notice(
        template="unknown",
        status=404,
        code="unknown_host",
        message=f"No app answers at {host[:200] or 'this address'}.",
        action="Check the address, or open the app from its project in appfleet.",
        fields={"title": "No such app", "host": host[:200] or "this address"},
    )


def starting(app: str) -> Notice:
    return Notice(
        template="starting",
        status=503,
        code="app_starting",
        message=f"{app} is starting.",
        action="Try again in a moment.",
        fields={"title": "Starting…", "app": app},
        retry_after_s=1,
    )


@dataclass(frozen=True)
class _Unbuilt:
    status: int
    code: str
    title: str
    words: str
    action: str
    retry_after_s: int = 0


UNBUILT = {
    RouteState.UNBUILT: _Unbuilt(
        404,
        "app_not_built",
        "Not built yet",
        "has not been built yet.",
        "Say in appfleet what it should do.",
    ),
    RouteState.BUILDING: _Unbuilt(
        503,
        "app_building",
        "Being built",
        "has not been built yet: its first build is under way.",
        "This page opens the app as soon as it is there.",
        retry_after_s=5,
    ),
    RouteState.BUILD_FAILED: _Unbuilt(
        404,
        "app_build_failed",
        "Nothing to show yet",
        "has not been built yet: its last build failed.",
        "Its project in appfleet says why; send a message there to try again.",
    ),
}


def unbuilt(app: str, state: RouteState) -> Notice:
    """Generic words on purpose: whoever opens an app's address need not be its owner."""
    told = UNBUILT[state]
    return Notice(
        template="unbuilt",
        status=told.status,
        code=told.code,
        message=f"{app} {told.words}",
        action=told.action,
        fields={"title": told.title},
        retry_after_s=told.retry_after_s,
    )


def crashed(app: str, explanation: str, log: str) -> Notice:
    return Notice(
        template="crashed",
        status=502,
        code="app_crashed",
        message=explanation or f"{app} stopped unexpectedly.",
        action="Send a message in appfleet to have it mended, or look at its log.",
        fields={
            "title": "This app stopped",
            "app": app,
            "log": log[-MAX_LOG_CHARS:] or "It wrote nothing.",
        },
    )


def broken_answer(app: str, reason: str) -> Notice:
    return Notice(
        template="broken",
        status=502,
        code="bad_gateway",
        message=f"{app} closed the connection before it answered ({reason}).",
        action="Try again; if it stays so, look at the app's log.",
        fields={"title": "No answer from this app", "app": app},
    )


def platform_down(reason: str) -> Notice:
    return Notice(
        template="platform_down",
        status=503,
        code="platform_down",
        message=f"The platform is not answering ({reason}).",
        action="It may be starting: this page tries again. `appfleet doctor` says more.",
        fields={"title": "appfleet is not answering"},
        retry_after_s=2,
    )
