"""Tools over the draft: the app as it is with the present files, on a copy of dev's data."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Literal

from pydantic import Field, JsonValue

from fleet.domain.page import ConsoleEntry, FailedRequest, PageReport, PageVisit
from fleet.domain.plan import PROCEDURE_NAME, ProcedureKind
from fleet.domain.workload import Command
from fleet.errors import InvalidInput
from fleet.generation.path import checked_path
from fleet.generation.tools import procedure
from fleet.generation.tools.outcome import tests_run, typecheck_run
from fleet.generation.tools.tool import Arguments, Tool
from fleet.generation.tools.workbench import Workbench

_TYPECHECK = Command(argv=("tsc", "--noEmit", "--pretty", "false"), timeout_s=60.0)
TESTS_TIMEOUT_S = 120.0
MAX_PAGE_CHARS = 3_000
MAX_ENTRIES = 20
_MAX_ENTRY_CHARS = 500
_MAX_ENTRY_LINES = 5
_NO_COLOUR = {"NO_COLOR": "1", "CI": "1"}
# What Vite and React themselves say on every page in development.
_NOISE = ("[vite] connect", "%cDownload the React DevTools")
_PLACEHOLDER = re.compile(r"%[oOscdif]\s")
_SPECIAL = re.compile(r"[.*+?^${}()|\[\]\\/]")


class Nothing(Arguments):
    pass


class RunTests(Arguments):
    name: str = Field(default="", max_length=200, description="Only tests whose name holds this.")
    file: str = Field(default="", description='Only this file, like "tests/customers.test.ts".')


class CallProcedure(Arguments):
    name: str = Field(description='The dotted tRPC path, like "customers.create".')
    kind: ProcedureKind
    input: JsonValue = None


class OpenPage(Arguments):
    path: str = Field(default="/", max_length=500, description='Like "/customers".')


class ReadLogs(Arguments):
    source: Literal["app", "browser"] = Field(
        default="app", description='"browser" is the console of the page opened last.'
    )
    lines: int = Field(default=100, ge=1, le=1_000)


def live_tools(bench: Workbench) -> list[Tool[Any]]:
    twin, workspace, notes = bench.twin, bench.workspace, bench.notes
    seen: list[PageReport] = []

    async def typecheck(_: Nothing) -> str:
        run, told = typecheck_run(await twin.execute(workspace, _TYPECHECK, bench.now()))
        notes.check(run)
        return told

    async def run_tests(arguments: RunTests) -> str:
        argv = ("vitest", "run", *await _filters(bench, arguments))
        command = Command(argv=argv, env=_NO_COLOUR, timeout_s=TESTS_TIMEOUT_S)
        which = " ".join(part for part in (arguments.file, arguments.name) if part)
        judged = tests_run(await twin.execute(workspace, command, bench.now()), which)
        if judged is None:
            raise InvalidInput(
                f"No test ran: {which or 'the app has none'}.",
                action="Look at the names in tests/; without arguments all of them run.",
            )
        run, told = judged
        notes.check(run)
        return told

    async def call_procedure(arguments: CallProcedure) -> str:
        if PROCEDURE_NAME.fullmatch(arguments.name) is None:
            raise InvalidInput(
                f"{arguments.name[:80]!r} is no tRPC path.", action="Write customers.create."
            )
        socket = await twin.socket(workspace, bench.now())
        return await asyncio.to_thread(
            procedure.call, socket, arguments.name, arguments.kind, arguments.input
        )

    async def open_page(arguments: OpenPage) -> str:
        if not arguments.path.startswith("/") or arguments.path.startswith("//"):
            raise InvalidInput(
                f"{arguments.path[:80]!r} is no path of the app.",
                action="Write it like /customers.",
            )
        socket = await twin.socket(workspace, bench.now())
        report = await bench.browser.visit(PageVisit(socket=socket, path=arguments.path))
        seen[:] = [report]
        return page_text(report)

    async def read_logs(arguments: ReadLogs) -> str:
        if arguments.source == "browser":
            if not seen:
                return "No page was opened yet; open_page opens one."
            lines = [*_console(seen[0]), *map(_request, seen[0].failed_requests)]
            return "\n".join(lines[-arguments.lines :]) or "The console is empty."
        logged = await twin.logs(arguments.lines)
        return logged or "Nothing is logged. call_procedure or open_page starts the app."

    return [
        Tool("typecheck", "Run the TypeScript compiler over the app.", Nothing, typecheck),
        Tool("run_tests", "Run the app's vitest suite, or part of it.", RunTests, run_tests),
        Tool("call_procedure", "Call a procedure on the draft app.", CallProcedure, call_procedure),
        Tool(
            "open_page",
            "Open a page of the draft app in a browser: its text, console and failed requests.",
            OpenPage,
            open_page,
        ),
        Tool("read_logs", "The draft app's last log lines, or the browser's.", ReadLogs, read_logs),
    ]


async def _filters(bench: Workbench, arguments: RunTests) -> list[str]:
    filters = []
    if arguments.file:
        path = checked_path(arguments.file)
        await bench.workspace.read(path)  # says what is meant when there is none
        inside = bench.app.path.rstrip("/") + "/"
        filters.append("./" + (path.removeprefix(inside) if bench.app.path != "." else path))
    if arguments.name:
        literal = _SPECIAL.sub(r"\\\g<0>", arguments.name)
        filters.append(f"--testNamePattern={literal}")
    return filters


def page_text(report: PageReport) -> str:
    lines = [
        f"HTTP {report.status}, title {report.title!r}, {report.visible_elements} visible elements"
        + (", it did not come to rest in time" if report.timed_out else "")
    ]
    if console := _console(report):
        lines += ["Console:", *_few(console)]
    if report.failed_requests:
        lines += ["Failed requests:", *_few([_request(r) for r in report.failed_requests])]
    if report.repeated:
        lines.append(f"It makes this request over and over: {report.repeated}")
    text = report.text.strip()
    cut = "\n[cut]" if len(text) > MAX_PAGE_CHARS else ""
    lines += ["Text:", text[:MAX_PAGE_CHARS] + cut if text else "(none: the page is blank)"]
    return "\n".join(lines)


def _console(report: PageReport) -> list[str]:
    return [_entry(e) for e in report.console if not e.text.startswith(_NOISE)]


def _few(lines: list[str]) -> list[str]:
    more = len(lines) - MAX_ENTRIES
    return lines[:MAX_ENTRIES] + ([f"- [{more} more]"] if more > 0 else [])


def _entry(entry: ConsoleEntry) -> str:
    source = f" ({entry.source})" if entry.source else ""
    lines = [line.strip() for line in _PLACEHOLDER.sub("", entry.text).splitlines()]
    text = "\n  ".join([line for line in lines if line][:_MAX_ENTRY_LINES])
    return f"- {entry.level}: {text[:_MAX_ENTRY_CHARS]}{source}"


def _request(request: FailedRequest) -> str:
    why = request.failure or f"HTTP {request.status}"
    return f"- {request.method} {request.url}: {why[:_MAX_ENTRY_CHARS]}"
