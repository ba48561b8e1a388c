"""Sessions on an awake compute: as the app's role for SQL, as the superuser for our own work."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg
from psycopg.abc import AdaptContext, Buffer, Query
from psycopg.adapt import AdaptersMap, Loader
from psycopg.rows import TupleRow
from pydantic import JsonValue

from fleet.domain.timeline import SqlResult
from fleet.drivers.postgres.timelines.statements import split_statements
from fleet.errors import InfrastructureError, SqlFailed

Connection = psycopg.AsyncConnection[TupleRow]

_CONNECT_DEADLINE_S = 15
_QUERY_TIMEOUT_S = 15
_MAX_RESULT_CHARS = 1_000_000
_TABLES = (Path(__file__).parent / "sql" / "tables.sql").read_text()
# These answer with rows that nothing bounds: read one by one. Others are as small as their effect.
_READING_WORDS = frozenset(["select", "with", "values", "table", "show", "explain"])


class _Text(Loader):
    def load(self, data: Buffer) -> str:
        return bytes(data).decode(errors="replace")


class _Integer(Loader):
    def load(self, data: Buffer) -> int:
        return int(bytes(data))


class _Float(Loader):
    def load(self, data: Buffer) -> float | str:
        value = float(bytes(data))
        return value if math.isfinite(value) else str(value)  # JSON has no NaN


class _Boolean(Loader):
    def load(self, data: Buffer) -> bool:
        return bytes(data) == b"t"


class _Json(Loader):
    def load(self, data: Buffer) -> Any:
        return json.loads(bytes(data))


def _json_adapters() -> AdaptersMap:
    """Loads what JSON has as it is, and anything else as the text that Postgres prints."""
    adapters = AdaptersMap(types=psycopg.adapters.types)
    adapters.register_loader(0, _Text)
    for names, loader in (
        (("int2", "int4", "int8", "oid"), _Integer),
        (("float4", "float8"), _Float),
        (("bool",), _Boolean),
        (("json", "jsonb"), _Json),
    ):
        for name in names:
            adapters.register_loader(name, loader)
    return adapters


class _JsonContext:
    """What psycopg calls an adaptation context."""

    connection = None

    def __init__(self) -> None:
        self.adapters = _json_adapters()


@dataclass(frozen=True)
class _Login:
    user: str
    password: str | None = None
    database: str = "app"
    options: str = ""
    context: AdaptContext | None = None


@asynccontextmanager
async def app_session(
    folder: Path, *, options: str = "", json_values: bool = False
) -> AsyncIterator[Connection]:
    context = _JsonContext() if json_values else None
    async with _session(folder, _Login("app", options=options, context=context)) as connection:
        yield connection


@asynccontextmanager
async def admin_session(
    folder: Path, password: str | None, database: str = "app"
) -> AsyncIterator[Connection]:
    """`search_path` is pinned: the app owns objects in this database."""
    options = "-c search_path=pg_catalog,pg_temp -c statement_timeout=0"
    login = _Login("postgres", password=password, options=options, database=database)
    async with _session(folder, login) as connection:
        yield connection


@asynccontextmanager
async def _session(folder: Path, login: _Login) -> AsyncIterator[Connection]:
    try:
        connection = await psycopg.AsyncConnection.connect(
            host=str(folder),
            port=5432,
            user=login.user,
            password=login.password,
            dbname=login.database,
            options=login.options,
            context=login.context,
            application_name="appfleet",
            connect_timeout=_CONNECT_DEADLINE_S,
            sslmode="disable",
            gssencmode="disable",
            autocommit=True,
        )
    except psycopg.OperationalError as error:
        raise InfrastructureError(f"The database did not let us in: {error}") from error
    try:
        yield connection
    finally:
        await connection.close()


async def run_query(folder: Path, sql: str, *, read_only: bool, max_rows: int) -> SqlResult:
    """One statement, bounded in time and rows."""
    started = perf_counter()
    options = f"-c statement_timeout={_QUERY_TIMEOUT_S}s"
    async with app_session(folder, options=options, json_values=True) as connection:
        try:
            # A second bound, because the statement may lift its own.
            async with asyncio.timeout(_QUERY_TIMEOUT_S + 5):
                if read_only:
                    await connection.execute("BEGIN TRANSACTION READ ONLY")
                    # With a snapshot taken, Postgres refuses to go back to READ WRITE.
                    await connection.execute("SELECT 1")
                result = await _execute(connection, sql, max_rows)
        except psycopg.Error as error:
            raise sql_failed(error) from error
        except TimeoutError:
            connection.pgconn.finish()
            raise SqlFailed(
                f"The statement ran for more than {_QUERY_TIMEOUT_S} s.", sqlstate="57014"
            ) from None
    return result.model_copy(update={"elapsed_s": perf_counter() - started})


async def _execute(connection: Connection, sql: str, max_rows: int) -> SqlResult:
    statements = split_statements(sql)
    if len(statements) != 1:
        raise SqlFailed(
            f"Expected one statement, got {len(statements)}.",
            sqlstate="42601",
            action="Send one statement at a time.",
        )
    statement = statements[0]
    query: Query = statement.sql.encode()
    cursor = connection.cursor()
    if statement.word not in _READING_WORDS:
        await cursor.execute(query, prepare=True)  # extended protocol: never two statements
        rows = await cursor.fetchmany(max_rows + 1) if cursor.description else []
        return _result(cursor, rows, max_rows, cursor.rowcount)
    rows, size = [], 0
    try:
        async for row in cursor.stream(query):
            rows.append(row)
            size += sum(len(value) for value in row if isinstance(value, str))
            if len(rows) > max_rows or size > _MAX_RESULT_CHARS:
                break
    except psycopg.ProgrammingError as error:
        if error.sqlstate is not None:
            raise
        return SqlResult()  # WITH … INSERT and the like answer with no rows at all
    return _result(cursor, rows, max_rows, len(rows))


def _result(
    cursor: psycopg.AsyncCursor[TupleRow], rows: list[TupleRow], max_rows: int, count: int
) -> SqlResult:
    kept: list[tuple[JsonValue, ...]] = []
    size = 0
    for row in rows[:max_rows]:
        size += sum(len(value) for value in row if isinstance(value, str))
        if size > _MAX_RESULT_CHARS:
            break
        kept.append(tuple(row))
    truncated = len(kept) < len(rows)
    reading = count == len(rows)
    return SqlResult(
        columns=tuple(column.name for column in cursor.description or ()),
        rows=tuple(kept),
        row_count=len(kept) if truncated and reading else max(count, 0),
        truncated=truncated,
    )


def sql_failed(error: psycopg.Error) -> SqlFailed | InfrastructureError:
    """The app's fault when Postgres says so; ours when the connection broke."""
    if error.sqlstate is None or error.sqlstate.startswith("57P"):
        return InfrastructureError(f"The database connection broke: {error}")
    parts = [error.diag.message_primary or str(error)]
    if error.diag.message_detail:
        parts.append(error.diag.message_detail)
    return SqlFailed(" ".join(parts), sqlstate=error.sqlstate, action=error.diag.message_hint or "")


async def read_tables(folder: Path) -> dict[str, list[str]]:
    tables: dict[str, list[str]] = {}
    async with app_session(folder, options="-c search_path=pg_catalog") as connection:
        try:
            cursor = await connection.execute(_TABLES.encode())
            rows = await cursor.fetchall()
        except psycopg.Error as error:
            raise sql_failed(error) from error
    for table, column in rows:
        columns = tables.setdefault(table, [])
        if column is not None:
            columns.append(column)
    return tables
