"""Every error of Postgres and its driver, as one of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors as pg
from psycopg_pool import PoolClosed, PoolTimeout

from fleet.errors import (
    AppfleetError,
    Conflict,
    InfrastructureError,
    InvalidInput,
    NotFound,
    SetupError,
)

_CONSTRAINTS: dict[str, AppfleetError] = {
    "project_id_taken": Conflict("That project id is taken.", action="Choose another."),
    "tokens_owner_exists": NotFound("There is no such owner."),
    "projects_owner_exists": NotFound("There is no such owner."),
    "messages_project_exists": NotFound("There is no such project."),
    "builds_project_exists": NotFound("There is no such project."),
    "events_project_exists": NotFound("There is no such project."),
    "events_build_exists": NotFound("There is no such build."),
    "steps_build_exists": NotFound("There is no such build."),
    "steps_task_exists": NotFound("There is no such task."),
    "tasks_build_exists": NotFound("There is no such build."),
    "verdicts_task_exists": NotFound("There is no such task."),
    "checkpoints_project_exists": NotFound("There is no such project."),
    "remembered_project_exists": NotFound("There is no such project."),
}
_RESOURCES = "resources_project_exists"


@contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except (psycopg.Error, PoolTimeout, PoolClosed, UnicodeEncodeError) as error:
        raise translate(error) from error


def translate(error: Exception) -> AppfleetError:
    if isinstance(error, pg.IntegrityError):
        return _integrity(error)
    if isinstance(error, UnicodeEncodeError) or _is_bad_text(error):
        return InvalidInput(
            "The text cannot be stored: it holds a NUL character or is not valid Unicode.",
            action="Remove the control characters and try again.",
        )
    if isinstance(error, pg.DiskFull):
        return SetupError(
            "The control database's disk is full.", action="Free some space, then try again."
        )
    return InfrastructureError(
        f"The control database failed: {str(error).strip() or type(error).__name__}",
        action="Try again; if it stays so, run `appfleet doctor`.",
    )


def _is_bad_text(error: Exception) -> bool:
    """Refused by psycopg itself (NUL, no SQLSTATE) or by the server's encoding check."""
    if isinstance(error, pg.CharacterNotInRepertoire | pg.UntranslatableCharacter):
        return True
    return isinstance(error, psycopg.DataError) and error.sqlstate is None


def _integrity(error: pg.IntegrityError) -> AppfleetError:
    name = error.diag.constraint_name or ""
    if name == _RESOURCES:  # violated from both sides: registering, or forgetting too early
        if (error.diag.message_detail or "").endswith('not present in table "projects".'):
            return NotFound("There is no such project.")
        return Conflict("The project still has resources; remove them before it is forgotten.")
    known = _CONSTRAINTS.get(name)
    if known is None:
        return Conflict(f"The record refuses this ({name}).")
    return type(known)(known.message, action=known.action)
