"""Database histories that branch copy-on-write, and the stable addresses that point at them."""

from __future__ import annotations

from enum import StrEnum

from pydantic import JsonValue

from fleet.domain.frozen import Frozen
from fleet.domain.ids import EndpointId, TimelineId


class Timeline(Frozen):
    id: TimelineId
    parent: TimelineId | None
    copied: bool  # True: plain copy, because the filesystem cannot reflink
    elapsed_s: float


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
