"""What a browser saw when it opened a page as a user would."""

from __future__ import annotations

from pydantic import JsonValue

from fleet.domain.frozen import Frozen


class PageVisit(Frozen):
    """`socket` is the app's HTTP unix socket; the driver bridges it to the browser."""

    socket: str
    path: str
    screenshot: str = ""  # file to write, or ""
    timeout_s: float = 15.0


class ConsoleEntry(Frozen):
    """`level` is "error", "warning", "info"…, or "pageerror" for an uncaught exception."""

    level: str
    text: str
    source: str = ""


class FailedRequest(Frozen):
    """`status` is 0 when there was no response; `failure` then says why."""

    method: str
    url: str
    status: int = 0
    failure: str = ""


class PageReport(Frozen):
    """`text` is the visible text (<= 4000 characters); `visible_elements` counts painted ones."""

    path: str
    status: int
    title: str
    text: str
    visible_elements: int
    console: tuple[ConsoleEntry, ...]
    failed_requests: tuple[FailedRequest, ...]
    timed_out: bool
    screenshot: str
    elapsed_s: float
    extras: dict[str, JsonValue] = {}
