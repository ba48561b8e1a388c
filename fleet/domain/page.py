"""What a browser saw when it opened a page as a user would."""

from __future__ import annotations

from pydantic import JsonValue

from fleet.domain.frozen import Frozen


class PageVisit(Frozen):
    """`socket` is the app's HTTP unix socket; the driver bridges it to the browser.

    With `exercise` the page is used after it was looked at: its forms are filled in and sent, and
    links of its own app that lead to none of `known` are followed, each once over all visits to
    the app that overlap in time.
    """

    socket: str
    path: str
    screenshot: str = ""  # file to write, or ""
    timeout_s: float = 15.0
    exercise: bool = False
    known: tuple[str, ...] = ()


class ConsoleEntry(Frozen):
    """`level` is "error", "warning", "info"…, or "pageerror" for an uncaught exception."""

    level: str
    text: str
    source: str = ""

    @property
    def is_error(self) -> bool:
        return self.level in ("error", "pageerror")


class FailedRequest(Frozen):
    """`status` is 0 when there was no response; `failure` says why, or what is wrong with it."""

    method: str
    url: str
    status: int = 0
    failure: str = ""


class FormReport(Frozen):
    """`reaction` is the first thing that happened after it was sent: "request", "change",
    "validation", "dialog", "navigation", "storage", "error"; "nothing" when nothing did; "untried"
    when it could not be sent (its button stayed disabled)."""

    label: str
    reaction: str


class LinkReport(Frozen):
    """A followed link. `nothing` is what the app shows for an address that cannot exist."""

    href: str
    label: str
    status: int
    text: str
    nothing: str


class PageReport(Frozen):
    """`text` is the visible text (<= 4000 characters); `visible_elements` counts painted ones.

    `repeated` is a request the page made over and over again ("GET http://…"), or "". `errors`
    are uncaught exceptions that only using the page brought about.
    """

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
    repeated: str = ""
    forms: tuple[FormReport, ...] = ()
    links: tuple[LinkReport, ...] = ()
    errors: tuple[ConsoleEntry, ...] = ()
    extras: dict[str, JsonValue] = {}
