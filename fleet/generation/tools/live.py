"""Tools over the draft twin: the app and its data as they are with the present files."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import Field, JsonValue

from fleet.domain.plan import PROCEDURE_NAME, ProcedureKind
from fleet.domain.timeline import SqlResult
from fleet.domain.workload import Command, CommandResult
from fleet.errors import InvalidInput
from fleet.generation.tools import procedure
from fleet.generation.tools.tool import Arguments, Tool
from fleet.generation.twin import DraftTwin
from fleet.generation.workspace import Workspace

_TYPECHECK = Command(argv=("tsc", "--noEmit", "--pretty", "false"), timeout_s=60.0)
TESTS_TIMEOUT_S = 120.0


class RunSql(Arguments):
    sql: str = Field(min_length=1, max_length=50_000)


class Nothing(Arguments):
    pass


class RunTests(Arguments):
    name: str = Field(default="", max_length=200, description="Only tests whose name holds this.")


class CallProcedure(Arguments):
    name: str = Field(description='The dotted tRPC path, like "customers.create".')
    kind: ProcedureKind
    input: JsonValue = None


class ReadLogs(Arguments):
    lines: int = Field(default=100, ge=1, le=1_000)


@dataclass(frozen=True)
class Live:
    """`now` dates draft commits; they are on no branch."""

    twin: DraftTwin
    workspace: Workspace
    now: Callable[[], datetime]


def live_tools(live: Live) -> list[Tool[Any]]:
    twin, workspace = live.twin, live.workspace

    async def run_sql(arguments: RunSql) -> str:
        return _table(await twin.query(workspace, arguments.sql))

    async def typecheck(_: Nothing) -> str:
        return _outcome(await twin.execute(workspace, _TYPECHECK, live.now()))

    async def run_tests(arguments: RunTests) -> str:
        only = ("-t", arguments.name) if arguments.name else ()
        command = Command(argv=("vitest", "run", *only), timeout_s=TESTS_TIMEOUT_S)
        return _outcome(await twin.execute(workspace, command, live.now()))

    async def call_procedure(arguments: CallProcedure) -> str:
        if PROCEDURE_NAME.fullmatch(arguments.name) is None:
            raise InvalidInput(
                f"{arguments.name[:80]!r} is no tRPC path.", action="Write customers.create."
            )
        socket = await twin.socket(workspace, live.now())
        return await asyncio.to_thread(
            procedure.call, socket, arguments.name, arguments.kind, arguments.input
        )

    async def read_logs(arguments: ReadLogs) -> str:
        return (
            await twin.logs(arguments.lines) or "Nothing is logged. call_procedure starts the app."
        )

    return [
        Tool("run_sql", "Run SQL on a throwaway copy of dev's data.", RunSql, run_sql),
        Tool("typecheck", "Run the TypeScript compiler over the app.", Nothing, typecheck),
        Tool("run_tests", "Run the app's vitest suite.", RunTests, run_tests),
        Tool("call_procedure", "Call a procedure on the app.", CallProcedure, call_procedure),
        Tool("read_logs", "The app's last log lines.", ReadLogs, read_logs),
    ]


def _table(result: SqlResult) -> str:
    rows = [json.dumps(row, ensure_ascii=False, default=str) for row in result.rows]
    head = f"{result.row_count} rows"
    if result.columns:
        head += f": {', '.join(result.columns)}"
    return "\n".join([head, *rows, *(["[more rows left out]"] if result.truncated else [])])


def _outcome(result: CommandResult) -> str:
    end = "ran past its time" if result.exit_code is None else f"exit code {result.exit_code}"
    output = f"{result.stdout}\n{result.stderr}".strip()
    return f"{end}, {result.elapsed_s:.1f} s\n{output}".strip()
