"""The pool, and the one way to a transaction on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from fleet.drivers.postgres.store.faults import translated

Connection = psycopg.AsyncConnection[DictRow]
Values = Mapping[str, object]

_CHECKOUT_DEADLINE_S = 15.0
_CONNECT_DEADLINE_S = 10
_IDLE_S = 60.0
_SESSION = (
    "-c timezone=UTC -c statement_timeout=30s -c lock_timeout=15s"
    " -c idle_in_transaction_session_timeout=60s"
)


def session_conninfo(conninfo: str) -> str:
    """Dead TCP peers are noticed, every wait has a deadline, every time is UTC."""
    return make_conninfo(
        conninfo,
        options=_SESSION,
        application_name="appfleet",
        connect_timeout=_CONNECT_DEADLINE_S,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
    )


class Database:
    def __init__(self, conninfo: str, max_size: int) -> None:
        self.conninfo = session_conninfo(conninfo)
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            self.conninfo,
            connection_class=psycopg.AsyncConnection[DictRow],
            kwargs={"row_factory": dict_row},
            min_size=1,
            max_size=max_size,
            max_idle=_IDLE_S,
            timeout=_CHECKOUT_DEADLINE_S,
            check=AsyncConnectionPool.check_connection,  # a restarted server is no error
            open=False,
            name="appfleet",
        )

    async def open(self) -> None:
        with translated():
            await self._pool.open(wait=True, timeout=_CHECKOUT_DEADLINE_S)

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Commits at the end, rolls back on any error; errors are ours."""
        with translated():
            async with self._pool.connection() as connection:
                yield connection


async def fetch_one(
    connection: Connection, statement: bytes, values: Values
) -> dict[str, Any] | None:
    return await (await connection.execute(statement, values)).fetchone()


async def fetch_all(
    connection: Connection, statement: bytes, values: Values
) -> list[dict[str, Any]]:
    return await (await connection.execute(statement, values)).fetchall()
