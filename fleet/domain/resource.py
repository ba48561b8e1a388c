"""Inventory of everything created outside the control database. Deletion is total because it is."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from fleet.domain.frozen import Frozen
from fleet.domain.ids import ProjectId


class ResourceKind(StrEnum):
    """In the order of deletion: what uses something goes before what it uses."""

    WORKLOAD = "workload"
    ENDPOINT = "endpoint"
    TIMELINE = "timeline"
    REPOSITORY = "repository"
    ARTEFACTS = "artefacts"


class Resource(Frozen):
    """`scope` is "project", or the gate run or build that owns a throwaway ("run:bld_x.3")."""

    project: ProjectId
    kind: ResourceKind
    name: str
    scope: str
    created_at: datetime
