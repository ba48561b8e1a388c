"""What crosses the gateway: hop-by-hop headers and the platform's cookie never do."""

from __future__ import annotations

import re
from collections.abc import Iterable

from multidict import CIMultiDict, CIMultiDictProxy

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",  # already answered by the gateway's own server
    }
)
_WEBSOCKET = re.compile(r"sec-websocket-", re.IGNORECASE)
PLATFORM_COOKIE = "appfleet_session"  # also with a port behind it: see serve.chat.auth
_DOMAIN = re.compile(r";\s*domain=[^;]*", re.IGNORECASE)


def request_headers(
    headers: CIMultiDictProxy[str], peer: str, scheme: str, *, to_app: bool
) -> CIMultiDict[str]:
    kept = _end_to_end(headers)
    for name in [name for name in kept if _WEBSOCKET.match(name)]:
        kept.popall(name, None)
    if to_app:
        _drop_platform_cookie(kept)
    before = kept.popall("X-Forwarded-For", [])
    kept["X-Forwarded-For"] = ", ".join([*before, peer])
    kept.setdefault("X-Forwarded-Proto", scheme)
    kept.setdefault("X-Forwarded-Host", headers.get("Host", ""))
    return kept


def response_headers(headers: CIMultiDictProxy[str], *, from_app: bool) -> CIMultiDict[str]:
    kept = _end_to_end(headers)
    if from_app:
        _confine_cookies(kept)
    return kept


def _end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    named = {
        token.strip().lower()
        for value in headers.getall("Connection", [])
        for token in value.split(",")
    }
    return CIMultiDict(
        (name, value)
        for name, value in headers.items()
        if name.lower() not in HOP_BY_HOP and name.lower() not in named
    )


def _drop_platform_cookie(headers: CIMultiDict[str]) -> None:
    pairs = [
        pair.strip() for value in headers.popall("Cookie", []) for pair in value.split(";") if pair
    ]
    kept = [pair for pair in pairs if not pair.startswith(PLATFORM_COOKIE)]
    if kept:
        headers["Cookie"] = "; ".join(kept)


def _confine_cookies(headers: CIMultiDict[str]) -> None:
    """An app may set cookies for its own host only, and none that looks like the platform's."""
    cookies: Iterable[str] = headers.popall("Set-Cookie", [])
    for cookie in cookies:
        if not cookie.lstrip().startswith(PLATFORM_COOKIE):
            headers.add("Set-Cookie", _DOMAIN.sub("", cookie))
