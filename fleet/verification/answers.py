"""What an app's answers, tables and last words prove: pure judging for the check `contract`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from fleet.domain.plan import Procedure
from fleet.domain.verdict import Finding
from fleet.errors import MigrationFailed, WorkloadCrashed
from fleet.verification.evidence import NO_NETWORK, app_place, finding, plain
from fleet.verification.placeholder import PLACEHOLDER_ANSWER
from fleet.verification.probe import Answer
from fleet.verification.subject import Subject

_ABSENT = re.compile(r"No procedure found|No \"\w+\"-procedure on path")
# Raised by the procedure about a row that dev's data happens to lack: as good as NOT_FOUND.
_ABSENT_ROW = re.compile(r"does not exist|not found|no longer exists", re.IGNORECASE)
# How Node says that there is no way out. A unix socket that refuses is the app's own database.
_NO_WAY_OUT = re.compile(r"\b(ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ECONNREFUSED(?! /))\b")
_OUT_OF_MEMORY = re.compile(r"more memory than it may|JavaScript heap out of memory")
_LOG_LINES = 8
_MOST_NAMES = 40
_SERVER_ENTRY = "server/main.ts"
SERVER_ERROR, MISSING, NO_ANSWER = "server-error", "missing-procedure", "no-answer"


def judge_answer(procedure: Procedure, answer: Answer, when: str = "") -> list[Finding]:
    """Only the app's own refusals (NOT_FOUND, CONFLICT, UNAUTHORIZED…) are as good as data.

    `when` ends the sentence where the circumstances are not the usual ones.
    """
    name, shown = procedure.name, _readable(answer)

    def red(code: str, message: str) -> list[Finding]:
        return [finding(name, code, message, shown=shown)]

    if answer.status == 0:
        return red(NO_ANSWER, f"{answer.failure}{when}")
    error = error_of(answer)
    message = str(error.get("message", ""))
    code = code_of(answer)
    if answer.status == 404 and (_ABSENT.search(message) or not error):
        return red(MISSING, f"no procedure answers at /trpc/{name}.")
    if code == "METHOD_NOT_SUPPORTED" or answer.status == 405:
        return red("wrong-kind", f"{name} is declared as a {procedure.kind}, but is not one.")
    if answer.status >= 500:
        told = message.split("\n", 1)[0] or "no message"
        return red(SERVER_ERROR, f"HTTP {answer.status} on its example input{when}: {told}")
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


def error_of(answer: Answer) -> dict[str, JsonValue]:
    body = answer.json
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}


def code_of(answer: Answer) -> str:
    data = error_of(answer).get("data")
    return str(data.get("code", "")) if isinstance(data, dict) else ""


def data_of(answer: Answer) -> JsonValue:
    """What a successful call gave; None for anything else."""
    body = answer.json
    result = body.get("result") if isinstance(body, dict) else None
    return result.get("data") if isinstance(result, dict) else None


def _readable(answer: Answer) -> str:
    """Request and response with the stack cut down to the app's own place in it."""
    error = error_of(answer)
    data = error.get("data")
    if not isinstance(data, dict):
        return answer.shown
    place, line = app_place(str(data.get("stack", "")))
    at = f"\nat {place}:{line}" if place else ""
    outcome = f"HTTP {answer.status} {data.get('code', '')}: {error.get('message', '')}"
    return f"{answer.request}\n→ {outcome}{at}"


def judge_tables(
    tables: Sequence[str],
    columns: Mapping[str, Sequence[str]],
    present: Mapping[str, Sequence[str]],
) -> list[Finding]:
    """`tables` and `columns` are declared; `present` is what the migrations made."""
    absent = [
        finding(
            table,
            "missing-table",
            f"table {table!r} is declared, but no migration creates it.",
            shown="tables: " + (", ".join(sorted(present)) or "none"),
        )
        for table in tables
        if table not in present
    ]
    lacking = [
        finding(
            table,
            "missing-column",
            f"column {column!r} of table {table!r} is declared, but no migration creates it.",
            shown=f"columns of {table}: " + ", ".join(present[table]),
        )
        for table, wanted in columns.items()
        if table in present
        for column in wanted
        if column not in present[table]
    ]
    return absent + lacking


def judge_stored(procedure: Procedure, table: str, answer: Answer) -> Finding:
    return finding(
        procedure.name,
        "stores-nothing",
        f"it answers that it worked, but table {table!r} is empty afterwards.",
        shown=_readable(answer),
    )


def judge_crash(crash: WorkloadCrashed, *, running: bool = False) -> Finding:
    """`running`: it did start, and ended later."""
    what = "ends while it is used" if running else "does not start"
    told = f"{crash.message}\n{crash.log}"
    path, line = app_place(crash.log or crash.message)
    code, message = "app-crashed", f"the app {what}: {crash.message}"
    if _OUT_OF_MEMORY.search(told):
        code = "out-of-memory"
        message = f"the app {what}: it uses more memory than it may."
    elif way := _NO_WAY_OUT.search(told):
        code, message = "needs-network", f"the app {what}: {way[1]}. {NO_NETWORK}"
    return finding(
        path or _SERVER_ENTRY, code, message, line=line, shown=crash.log or crash.message
    )


def told_as_end(findings: Sequence[Finding], ended: Sequence[Finding]) -> list[Finding]:
    """What an app left unanswered because it ended is its end's evidence, not evidence itself."""
    silent = [found.where for found in findings if found.code == NO_ANSWER]
    asked = f"{silent[0]} was asked last.\n" if silent else ""
    told = [
        finding(f.where, f.code, f.message, line=f.line, shown=f"{asked}{f.excerpt}") for f in ended
    ]
    return [found for found in findings if found.code != NO_ANSWER] + told


def judge_migration(failure: MigrationFailed, subject: Subject) -> Finding:
    lines = subject.files.get(failure.path, "").splitlines()
    shown = lines[failure.line - 1] if 0 < failure.line <= len(lines) else ""
    return finding(
        failure.path, "migration-failed", failure.message, line=failure.line, shown=shown
    )


def with_cause(found: Finding, log: str) -> Finding:
    """A server error's answer hides its cause; the app's log has it, after the procedure's name."""
    _, mark, said = plain(log).rpartition(f"{found.where} failed:")
    if found.code != SERVER_ERROR or not mark:
        return found
    place, line = app_place(said)
    at = f"\nat {place}:{line}" if place else ""
    cause = "\n".join(said.strip().splitlines()[:_LOG_LINES])
    code, message = found.code, found.message
    if way := _NO_WAY_OUT.search(said):
        code, message = "needs-network", f"it needs the network ({way[1]}). {NO_NETWORK}"
        cause = cause.split(way[1], 1)[0] + way[1] if way[1] in cause else f"{cause}\n{way[1]}"
    return finding(found.where, code, message, shown=f"{found.excerpt}{at}\nlog: {cause}")


def with_registered(found: Finding, declared: Sequence[str], registered: Sequence[str]) -> Finding:
    """Where a missing procedure's work may have gone: to a name that nobody declared."""
    spare = [name for name in registered if name not in declared]
    last = found.where.rpartition(".")[2]
    likely = (
        [name for name in spare if name.rpartition(".")[2] == last and name.endswith(found.where)]
        or [name for name in spare if name.rpartition(".")[2] == last]
        or [name for name in spare if name.rpartition(".")[2].startswith(last)]
        or difflib.get_close_matches(found.where, spare, n=2)
    )
    hint = f" Is it {' or '.join(likely)}?" if likely else ""
    names = ", ".join(registered[:_MOST_NAMES]) or "nothing"
    return finding(
        found.where,
        found.code,
        f"{found.message}{hint}",
        shown=f"{found.excerpt}\nthe router holds: {names}",
    )
