"""Applies a project's migrations: in number order, once, each in a transaction."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import psycopg

from fleet.domain.timeline import Migration
from fleet.drivers.postgres.timelines.session import Connection, app_session, sql_failed
from fleet.drivers.postgres.timelines.statements import (
    TRANSACTION_WORDS,
    Statement,
    split_statements,
)
from fleet.errors import MigrationFailed, SqlFailed

_LEDGER = (Path(__file__).parent / "sql" / "ledger.sql").read_text()
_NAME = re.compile(r"(\d{1,9})_[A-Za-z0-9_-]+\.sql")
_LOCK_KEY = 0x6170_7066  # serialises runners on one database; the same in every built app


@dataclass(frozen=True)
class _File:
    number: int
    name: str
    path: str
    sql: str
    sha256: str


async def apply_migrations(folder: Path, migrations: Sequence[Migration]) -> list[str]:
    files = _in_order(migrations)
    async with app_session(folder) as connection:
        try:
            await connection.execute("SELECT pg_catalog.pg_advisory_lock(%s)", (_LOCK_KEY,))
            for statement in split_statements(_LEDGER):
                await connection.execute(statement.sql.encode())
            cursor = await connection.execute("SELECT number, sha256 FROM appfleet.migrations")
            applied: dict[int, str] = dict(await cursor.fetchall())
        except psycopg.Error as error:
            raise sql_failed(error) from error
        _refuse_edited(files, applied)
        pending = [file for file in files if file.number not in applied]
        for file in pending:
            await _apply(connection, file)
    return [file.path for file in pending]


def _in_order(migrations: Sequence[Migration]) -> list[_File]:
    by_number: dict[int, _File] = {}
    for migration in migrations:
        name = PurePosixPath(migration.path).name
        match = _NAME.fullmatch(name)
        if match is None:
            raise MigrationFailed(
                f"{migration.path} is not named like a migration.",
                path=migration.path,
                action="Name it NNNN_what_it_does.sql, for example 0002_add_notes.sql.",
            )
        number = int(match[1])
        if number in by_number:
            raise MigrationFailed(
                f"{migration.path} has the same number as {by_number[number].path}.",
                path=migration.path,
                action="Give the newer file the next free number.",
            )
        digest = hashlib.sha256(migration.sql.encode()).hexdigest()
        by_number[number] = _File(number, name, migration.path, migration.sql, digest)
    return [by_number[number] for number in sorted(by_number)]


def _refuse_edited(files: list[_File], applied: dict[int, str]) -> None:
    for file in files:
        if applied.get(file.number, file.sha256) != file.sha256:
            raise MigrationFailed(
                f"{file.path} was edited after it had been applied.",
                path=file.path,
                action="Restore it, and put the change into a new migration.",
            )


async def _apply(connection: Connection, file: _File) -> None:
    statements = split_statements(file.sql)
    for statement in statements:
        if statement.word in TRANSACTION_WORDS:
            raise MigrationFailed(
                f"{file.path}, line {statement.line}: {statement.word.upper()} is not allowed.",
                path=file.path,
                line=statement.line,
                action="Leave it out: every migration already runs in one transaction.",
            )
    line = 0
    try:
        async with connection.transaction():
            for statement in statements:
                line = statement.line
                await _run(connection, statement, file)
            line = 0  # what fails from here on is a deferred constraint, not one line
            await connection.execute(
                "INSERT INTO appfleet.migrations (number, name, sha256) VALUES (%s, %s, %s)",
                (file.number, file.name, file.sha256),
            )
    except psycopg.Error as error:
        raise _failed(file, error, line) from error


async def _run(connection: Connection, statement: Statement, file: _File) -> None:
    try:
        await connection.execute(statement.sql.encode())
    except psycopg.Error as error:
        position = int(error.diag.statement_position or 1)
        line = statement.line + statement.sql.count("\n", 0, position - 1)
        raise _failed(file, error, line) from error


def _failed(file: _File, error: psycopg.Error, line: int) -> Exception:
    failure = sql_failed(error)
    if not isinstance(failure, SqlFailed):
        return failure
    where = f"{file.path}, line {line}" if line else file.path
    return MigrationFailed(
        f"{where}: {failure.message} ({failure.sqlstate})",
        path=file.path,
        line=line,
        action=failure.action,
    )
