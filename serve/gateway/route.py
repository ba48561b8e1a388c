"""Where a host name leads, and what the gateway asks of whoever knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import ValidationError

from fleet.domain.frozen import Frozen
from fleet.domain.ids import AppSlug, ProjectId, is_project_id
from fleet.domain.project import AppSpec


class RouteState(StrEnum):
    UNKNOWN = "unknown"  # no such project or app
    STARTING = "starting"
    READY = "ready"
    CRASHED = "crashed"
    UNBUILT = "unbuilt"  # no build has been made yet
    BUILDING = "building"  # the first one is being made
    BUILD_FAILED = "build_failed"  # there was one, and nothing to show for it


class RouteTarget(Frozen):
    """`socket` is the app's HTTP unix socket when ready; `log` its last lines when crashed."""

    state: RouteState
    socket: str = ""
    explanation: str = ""
    log: str = ""


class Resolver(Protocol):
    """Wakes the app if it sleeps. May take as long as the start does: the gateway bounds the
    wait, asks once for all that wait, and caches only what is ready."""

    async def resolve(self, project: ProjectId, app: AppSlug) -> RouteTarget: ...


@dataclass(frozen=True)
class AppHost:
    project: ProjectId
    app: AppSlug


class WorkloadActivity(Frozen):
    """Who views an app now. An open websocket counts as being viewed."""

    project: ProjectId
    app: AppSlug
    last_seen_at: datetime
    open_requests: int
    open_sockets: int


OnActivity = Callable[[WorkloadActivity], None]


@dataclass(frozen=True)
class HostMap:
    """`platform_hosts` lead to the platform, `<app>-<project>.<apps_domain>` to an app."""

    platform_hosts: frozenset[str] = frozenset({"localhost", "127.0.0.1", "::1"})
    apps_domain: str = "localhost"

    def is_platform(self, host: str) -> bool:
        return host in self.platform_hosts

    def app_of(self, host: str) -> AppHost | None:
        """A slug never holds a hyphen, so the first hyphen is the border."""
        label, dot, domain = host.partition(".")
        slug, hyphen, project = label.partition("-")
        if not dot or domain != self.apps_domain or not hyphen or not is_project_id(project):
            return None
        try:
            AppSpec(slug=AppSlug(slug))
        except ValidationError:
            return None
        return AppHost(ProjectId(project), AppSlug(slug))


def host_name(header: str) -> str:
    """The Host header without its port, in lower case: "[::1]:80" -> "::1"."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].rstrip(".")
