"""Tools over the data: SQL on dev or on the draft's copy of it, and checkpoints of dev."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field

from fleet.domain.ids import dev_endpoint
from fleet.domain.progress import SqlRun
from fleet.domain.statement import SqlEffect
from fleet.domain.timeline import SqlResult
from fleet.errors import AppError, InvalidInput, SqlFailed
from fleet.generation.tools.tool import Arguments, Tool
from fleet.generation.tools.workbench import Workbench

MAX_ROWS = 100
MAX_ROW_CHARS = 2_000
MAX_TABLE_CHARS = 20_000
MAX_NOTED_CHARS = 2_000
_READ_ONLY_VIOLATION = "25006"


class RunSql(Arguments):
    sql: str = Field(min_length=1, max_length=20_000, description="One statement.")
    database: Literal["dev", "draft"] = Field(
        default="dev",
        description='"dev" is the data that serves; "draft" a throwaway copy of it with the '
        "present migrations applied, to be written to at will.",
    )
    write: bool = Field(default=False, description="Dev is read-only unless this is true.")


class TakeCheckpoint(Arguments):
    reason: str = Field(min_length=3, max_length=300)


class Nothing(Arguments):
    pass


def data_tools(bench: Workbench) -> list[Tool[Any]]:
    dev, notes = bench.dev, bench.notes

    async def run_sql(arguments: RunSql) -> str:
        sql, database = arguments.sql, arguments.database
        try:
            if database == "dev":
                taken, result = await _on_dev(bench, arguments)
            else:
                dev.judge(sql)  # what does not parse is told in the same words everywhere
                taken, result = "", await bench.twin.query(bench.workspace, sql)
        except AppError as error:
            notes.sql(SqlRun(statement=_noted(sql), database=database, error=str(error)[:300]))
            raise
        notes.sql(SqlRun(statement=_noted(sql), database=database, rows=result.row_count))
        return taken + table(result)

    async def take_checkpoint(arguments: TakeCheckpoint) -> str:
        await dev.ready()
        taken = await dev.checkpoints.take(dev.project, dev.commit, arguments.reason)
        notes.checkpoint(taken.id)
        return f"Checkpoint {taken.id}: dev's data now, with the code at {dev.commit[:12]}."

    async def list_checkpoints(_: Nothing) -> str:
        kept = await dev.checkpoints.all(dev.project)
        lines = [
            f"{c.id}  {c.created_at:%Y-%m-%d %H:%M}  {c.commit[:12]}  {c.reason}" for c in kept
        ]
        return "\n".join(lines) or "There is no checkpoint yet."

    return [
        Tool(
            "run_sql",
            "Run one SQL statement. On dev with write, a risky one (DDL, DROP, TRUNCATE, UPDATE or "
            "DELETE without WHERE) takes a checkpoint first; schema changes belong in migrations.",
            RunSql,
            run_sql,
        ),
        Tool(
            "take_checkpoint",
            "Keep dev's data and code as they are now, to be returned to.",
            TakeCheckpoint,
            take_checkpoint,
        ),
        Tool("list_checkpoints", "The checkpoints kept of dev.", Nothing, list_checkpoints),
    ]


async def _on_dev(bench: Workbench, asked: RunSql) -> tuple[str, SqlResult]:
    """What was done before the statement, in words, and the statement's result."""
    dev = bench.dev
    judged = dev.judge(asked.sql)
    await dev.ready()
    endpoint = dev_endpoint(dev.project)
    if not asked.write:
        try:
            return "", await dev.timelines.query(endpoint, asked.sql, max_rows=MAX_ROWS)
        except SqlFailed as error:
            if error.sqlstate != _READ_ONLY_VIOLATION:
                raise
            raise InvalidInput(
                f"Dev is read-only: {error.message}.",
                action='Try it on the draft (database: "draft"), or set write to true.',
            ) from error
    taken = ""
    if judged.effect is SqlEffect.RISKY:
        reason = f"Before {judged.why}: {' '.join(asked.sql.split())}"[:300]
        checkpoint = await dev.checkpoints.take(dev.project, dev.commit, reason, automatic=True)
        bench.notes.checkpoint(checkpoint.id)
        taken = f"Checkpoint {checkpoint.id} was taken first ({judged.why}).\n"
    try:
        result = await dev.timelines.query(endpoint, asked.sql, read_only=False, max_rows=MAX_ROWS)
    except SqlFailed as error:
        raise SqlFailed(
            f"{taken}{error.message}", sqlstate=error.sqlstate, action=error.action
        ) from error
    return taken, result


def table(result: SqlResult) -> str:
    """The head, then a JSON list per row, as many as fit."""
    head = f"{result.row_count} row{'' if result.row_count == 1 else 's'}"
    if result.columns:
        head += f": {', '.join(result.columns)}"
    lines, size, truncated = [head], 0, result.truncated
    for row in result.rows:
        line = json.dumps(row, ensure_ascii=False, default=str)
        line = line if len(line) <= MAX_ROW_CHARS else f"{line[:MAX_ROW_CHARS]}…"
        size += len(line)
        if size > MAX_TABLE_CHARS:
            truncated = True
            break
        lines.append(line)
    return "\n".join([*lines, *(["[more rows left out; select less]"] if truncated else [])])


def _noted(sql: str) -> str:
    more = len(sql) - MAX_NOTED_CHARS
    return f"{sql[:MAX_NOTED_CHARS]} [… {more} more characters]" if more > 0 else sql
