"""Check `contract`: the live app keeps what the plan promised."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence

from pydantic import JsonValue

from fleet.domain.ids import EndpointId
from fleet.domain.plan import Procedure, ProcedureKind
from fleet.domain.verdict import Finding
from fleet.errors import MigrationFailed, WorkloadCrashed
from fleet.ports import Timelines
from fleet.verification.evidence import app_place, finding, plain
from fleet.verification.placeholder import (
    PLACEHOLDER_ANSWER,
    PLACEHOLDER_PROCEDURE,
    untouched_files,
)
from fleet.verification.probe import Answer, Prober
from fleet.verification.subject import Subject

_ABSENT = re.compile(r"No procedure found|No \"\w+\"-procedure on path")
# Raised by the procedure about a row that dev's data happens to lack: as good as NOT_FOUND.
_ABSENT_ROW = re.compile(r"does not exist|not found|no longer exists", re.IGNORECASE)
_LOG_LINES = 8
_SERVER_ENTRY = "server/main.ts"
ReadLogs = Callable[[], Awaitable[str]]


def judge_answer(procedure: Procedure, answer: Answer) -> list[Finding]:
    """Only the app's own refusals (NOT_FOUND, CONFLICT, UNAUTHORIZED…) are as good as data."""
    name, shown = procedure.name, _readable(answer)

    def red(code: str, message: str) -> list[Finding]:
        return [finding(name, code, message, shown=shown)]

    if answer.status == 0:
        return red("no-answer", answer.failure)
    error = _error(answer)
    message = str(error.get("message", ""))
    data = error.get("data")
    code = str(data.get("code", "")) if isinstance(data, dict) else ""
    if answer.status == 404 and (_ABSENT.search(message) or not error):
        return red("missing-procedure", f"no procedure answers at /trpc/{name}.")
    if code == "METHOD_NOT_SUPPORTED" or answer.status == 405:
        return red("wrong-kind", f"{name} is declared as a {procedure.kind}, but is not one.")
    if answer.status >= 500:
        told = message.split("\n", 1)[0] or "no message"
        return red("server-error", f"HTTP {answer.status} on its example input: {told}")
    if answer.status == 400 and not _ABSENT_ROW.search(message):
        return red("rejects-example", "BAD_REQUEST on its example input.")
    if not error and answer.status >= 300:
        return red("not-trpc", f"HTTP {answer.status}, and not an answer of tRPC.")
    body = answer.json
    result = body.get("result") if isinstance(body, dict) else None
    if not error and not isinstance(result, dict):
        return red("not-trpc", "the answer is not one of tRPC (no result).")
    if isinstance(result, dict) and result.get("data") == PLACEHOLDER_ANSWER:
        return red("placeholder", "the answer is the scaffold's placeholder.")
    return []


def _error(answer: Answer) -> dict[str, JsonValue]:
    body = answer.json
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}


def _readable(answer: Answer) -> str:
    """Request and response with the stack cut down to the app's own place in it."""
    error = _error(answer)
    data = error.get("data")
    if not isinstance(data, dict):
        return answer.shown
    place, line = app_place(str(data.get("stack", "")))
    at = f"\nat {place}:{line}" if place else ""
    outcome = f"HTTP {answer.status} {data.get('code', '')}: {error.get('message', '')}"
    return f"{answer.request}\n→ {outcome}{at}"


def judge_tables(declared: Sequence[str], present: Mapping[str, Sequence[str]]) -> list[Finding]:
    return [
        finding(
            table,
            "missing-table",
            f"table {table!r} is declared, but no migration creates it.",
            shown="tables: " + (", ".join(sorted(present)) or "none"),
        )
        for table in declared
        if table not in present
    ]


def judge_crash(crash: WorkloadCrashed, *, running: bool = False) -> Finding:
    """`running`: it did start, and ended later."""
    what = "ends while it is used" if running else "does not start"
    path, line = app_place(crash.log or crash.message)
    return finding(
        path or _SERVER_ENTRY,
        "app-crashed",
        f"the app {what}: {crash.message}",
        line=line,
        shown=crash.log or crash.message,
    )


def judge_migration(failure: MigrationFailed, subject: Subject) -> Finding:
    lines = subject.files.get(failure.path, "").splitlines()
    shown = lines[failure.line - 1] if 0 < failure.line <= len(lines) else ""
    return finding(
        failure.path, "migration-failed", failure.message, line=failure.line, shown=shown
    )


def with_log(found: Finding, log: str) -> Finding:
    """A server error's answer hides its cause; the app's log has it, after the procedure's name."""
    _, mark, said = plain(log).rpartition(f"{found.where} failed:")
    if found.code != "server-error" or not mark:
        return found
    place, line = app_place(said)
    at = f"\nat {place}:{line}" if place else ""
    cause = "\n".join(said.strip().splitlines()[:_LOG_LINES])
    shown = f"{found.excerpt}{at}\nlog: {cause}"
    return finding(found.where, found.code, found.message, shown=shown)


async def check_contract(
    subject: Subject, socket: str, endpoint: EndpointId, timelines: Timelines, logs: ReadLogs
) -> list[Finding]:
    """Probes run one after the other: a `create` makes the row its `get` asks for."""
    contract = subject.request.contract
    findings: list[Finding] = []
    if contract.tables:
        findings += judge_tables(contract.tables, await timelines.tables(endpoint))
    findings += untouched_files(subject)
    async with Prober(socket) as prober:
        for procedure in contract.procedures:
            findings += judge_answer(procedure, await prober.call(procedure))
        findings += await _leftover(prober)
    if any(f.code == "server-error" for f in findings):
        log = await logs()
        findings = [with_log(f, log) for f in findings]
    return findings


async def _leftover(prober: Prober) -> list[Finding]:
    """The scaffold's own procedure must be gone, declared or not."""
    placeholder = Procedure(name=PLACEHOLDER_PROCEDURE, kind=ProcedureKind.QUERY)
    found = judge_answer(placeholder, await prober.call(placeholder))
    return [f for f in found if f.code == "placeholder"]
