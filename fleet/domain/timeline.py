"""Database histories that branch copy-on-write, and the stable addresses that point at them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import JsonValue

from fleet.domain.frozen import Frozen
from fleet.domain.ids import CheckpointId, CommitId, EndpointId, ProjectId, TimelineId


class Timeline(Frozen):
    """`lsn` is where a branch left its source ("0/1A2B3C"), "" for one that has none."""

    id: TimelineId
    parent: TimelineId | None
    copied: bool  # True: plain copy, because the filesystem cannot reflink
    elapsed_s: float
    lsn: str = ""


class Checkpoint(Frozen):
    """One coherent moment of a project: its code and, as a branch of its own, its data."""

    id: CheckpointId
    project: ProjectId
    commit: CommitId
    timeline: TimelineId
    lsn: str
    reason: str
    created_at: datetime


class ComputeState(StrEnum):
    ASLEEP = "asleep"
    WAKING = "waking"
    AWAKE = "awake"


class Endpoint(Frozen):
    """`directory` holds one unix socket, `.s.PGSQL.5432`; bind it into a sandbox.

    The database is `app` and the app's role is `app`: owner of the database, never superuser.
    """

    id: EndpointId
    timeline: TimelineId
    directory: str
    compute: ComputeState


class Migration(Frozen):
    """`path` like "db/migrations/0002_add_notes.sql"; the number orders, the text is hashed."""

    path: str
    sql: str


class SqlResult(Frozen):
    """Rows are lists of JSON values (dates and decimals as text); `truncated` if rows were cut."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[JsonValue, ...], ...] = ()
    row_count: int = 0
    truncated: bool = False
    elapsed_s: float = 0.0
