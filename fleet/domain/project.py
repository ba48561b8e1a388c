"""Owners, projects and the spec that says what runs in one."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from fleet.domain.frozen import Frozen
from fleet.domain.ids import AppSlug, CommitId, OwnerId, ProjectId

SPEC_PATH = ".appfleet/spec.json"


class Owner(Frozen):
    id: OwnerId
    name: str


class AppSpec(Frozen):
    """`path` is the app's folder in the repository; "." is the root."""

    slug: AppSlug = Field(pattern=r"^[a-z][a-z0-9]{0,11}$")
    path: str = "."


class ServiceSpec(Frozen):
    """`kind` names a catalog entry (`catalog/<kind>/service.yaml`)."""

    kind: str
    name: str


class Spec(Frozen):
    apps: tuple[AppSpec, ...] = (AppSpec(slug=AppSlug("web")),)
    services: tuple[ServiceSpec, ...] = ()


class ProjectState(StrEnum):
    ACTIVE = "active"
    DELETING = "deleting"


class Project(Frozen):
    """`head` is the last green commit, which the preview serves; None before the first."""

    id: ProjectId
    owner: OwnerId
    title: str
    state: ProjectState
    spec: Spec
    head: CommitId | None
    created_at: datetime
