"""Check `contract`: the live app keeps what the plan promised.

Before the pages are looked at, everything is asked in the plan's order but what removes rows, so
that a page has rows to show. Afterwards what removes is asked, then every query on empty tables.
The twin is a throwaway: nothing of this reaches dev.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from fleet.domain.ids import EndpointId
from fleet.domain.plan import Procedure, ProcedureKind
from fleet.domain.verdict import Finding
from fleet.domain.workload import Command, CommandResult
from fleet.errors import SqlFailed
from fleet.ports import Timelines
from fleet.verification.answers import (
    MISSING,
    NO_ANSWER,
    SERVER_ERROR,
    code_of,
    data_of,
    error_of,
    judge_answer,
    judge_stored,
    judge_tables,
    with_cause,
    with_registered,
)
from fleet.verification.placeholder import PLACEHOLDER_PROCEDURE, untouched_files
from fleet.verification.probe import Answer, Prober
from fleet.verification.subject import Subject

# By name alone, and harmless when wrong: what matches is asked later than it stands in the plan.
_REMOVES = re.compile(
    r"(delete|remove|destroy|clear|purge|reset|erase|drop|empty|archive|cancel|discard)",
    re.IGNORECASE,
)
_CREATES = frozenset({"create", "add", "insert"})
_INSERTS = re.compile(r"\b(?:insert\s+into|copy)\s+(?:public\.)?\"?(\w+)", re.IGNORECASE)
_ON_EMPTY = " while its tables are empty"
_LIST_PROCEDURES = Command(
    argv=(
        "node",
        "--input-type=module",
        "-e",
        (Path(__file__).parent / "list_procedures.mjs").read_text("utf-8"),
    ),
    timeout_s=10.0,
)


@dataclass(frozen=True)
class LiveApp:
    """The twin as the check reaches it. `execute` runs a command beside the app."""

    socket: str
    endpoint: EndpointId
    timelines: Timelines
    logs: Callable[[], Awaitable[str]]
    execute: Callable[[Command], Awaitable[CommandResult]]


@dataclass
class ContractCheck:
    """`await before_pages()`, then the pages, then `await after_pages()`.

    What is red before the pages is not asked about again: `after_pages` is for a twin whose
    pages were looked at.
    """

    subject: Subject
    app: LiveApp
    _created: dict[str, JsonValue] = field(default_factory=dict)  # router: id of its new row
    _sound: set[str] = field(default_factory=set)  # queries that answered well
    _seeded: set[str] = field(default_factory=set)
    _removed: bool = False

    async def before_pages(self) -> list[Finding]:
        contract = self.subject.request.contract
        findings: list[Finding] = []
        if contract.tables:
            present = await self.app.timelines.tables(self.app.endpoint)
            findings += judge_tables(contract.tables, contract.columns, present)
            self._seeded = await self._with_rows([t for t in contract.tables if t in present])
        findings += untouched_files(self.subject)
        async with Prober(self.app.socket) as prober:
            findings += await self._first_round(prober)
            findings += await self._leftover(prober)
            if findings:  # it is red: whatever else is wrong is worth knowing now
                findings += await self._removals(prober)
        return await self._explained(findings)

    async def after_pages(self) -> list[Finding]:
        async with Prober(self.app.socket) as prober:
            findings = await self._removals(prober)
            if not findings:
                findings += await self._on_empty_tables(prober)
        return await self._explained(findings)

    @property
    def _procedures(self) -> Sequence[Procedure]:
        return self.subject.request.contract.procedures

    async def _first_round(self, prober: Prober) -> list[Finding]:
        """One after the other: a `create` makes the row its `get` asks for. A query that came
        before the last of them is asked again, now that there are rows."""
        findings: list[Finding] = []
        wanted = [p for p in self._procedures if not _removes(p)]
        for procedure in wanted:
            if prober.lost:
                break
            findings += await self._ask(prober, procedure)
        last = max((n for n, p in enumerate(wanted) if _is(p, ProcedureKind.MUTATION)), default=0)
        for procedure in wanted[:last]:
            if procedure.name in self._sound and not prober.lost:
                findings += await self._ask(prober, procedure)
        return findings + await self._late(prober)

    async def _ask(self, prober: Prober, procedure: Procedure) -> list[Finding]:
        answer = await prober.ask(procedure)
        # An answer that is late is judged by `_late`.
        return [] if answer is None else await self._judge(prober, procedure, answer)

    async def _late(self, prober: Prober) -> list[Finding]:
        findings: list[Finding] = []
        for procedure, answer in await prober.late():
            findings += await self._judge(prober, procedure, answer)
        return findings

    async def _judge(self, prober: Prober, procedure: Procedure, answer: Answer) -> list[Finding]:
        findings = judge_answer(procedure, answer)
        if findings:
            self._sound.discard(procedure.name)
            return findings
        if _is(procedure, ProcedureKind.QUERY):
            self._sound.add(procedure.name)
        if not error_of(answer):
            return await self._remember(procedure, answer)
        return await self._ask_for_own_row(prober, procedure, answer)

    async def _remember(self, procedure: Procedure, answer: Answer) -> list[Finding]:
        """Notes the new row's id; red when a table of the router's name has no row at all."""
        router, _, name = procedure.name.rpartition(".")
        data = data_of(answer)
        if not _is(procedure, ProcedureKind.MUTATION) or name not in _CREATES:
            return []
        if isinstance(data, dict) and isinstance(data.get("id"), int | str):
            self._created[router] = data["id"]
        table = _table_of(router)
        if table not in self.subject.request.contract.tables:
            return []
        return [] if await self._with_rows([table]) else [judge_stored(procedure, table, answer)]

    async def _ask_for_own_row(
        self, prober: Prober, procedure: Procedure, answer: Answer
    ) -> list[Finding]:
        """Where the example's row is missing, the one just made is asked for instead."""
        own = self._created.get(procedure.name.rpartition(".")[0])
        given = procedure.example_input
        if code_of(answer) != "NOT_FOUND" or own is None or not isinstance(given, dict):
            return []
        if given.get("id") in (None, own):
            return []
        changed = procedure.model_copy(update={"example_input": {**given, "id": own}})
        second = await prober.ask(changed)
        return [] if second is None else _errors(judge_answer(changed, second))

    async def _removals(self, prober: Prober) -> list[Finding]:
        if self._removed:
            return []
        self._removed = True
        findings: list[Finding] = []
        for procedure in self._procedures:
            if _removes(procedure) and not prober.lost:
                findings += await self._ask(prober, procedure)
        return findings + await self._late(prober)

    async def _on_empty_tables(self, prober: Prober) -> list[Finding]:
        """Tables that users fill may be empty; what a migration or a start filled may not."""
        contract = self.subject.request.contract
        creators = {
            _table_of(p.name.rpartition(".")[0])
            for p in self._procedures
            if p.name.rpartition(".")[2] in _CREATES
        }
        tables = [t for t in contract.tables if t in creators and t not in self._kept]
        if not tables or not self._sound:
            return []
        sql = "truncate " + ", ".join(f'"{table}"' for table in tables)
        try:
            await self.app.timelines.query(self.app.endpoint, sql, read_only=False)
        except SqlFailed:
            return []  # a table that is kept points at one of them, so they are never empty
        findings: list[Finding] = []
        for procedure in self._procedures:
            if procedure.name in self._sound and not prober.lost:
                answer = await prober.ask(procedure)
                if answer is not None:
                    findings += _errors(judge_answer(procedure, answer, _ON_EMPTY))
        for procedure, answer in await prober.late():
            findings += _errors(judge_answer(procedure, answer, _ON_EMPTY))
        return findings

    @property
    def _kept(self) -> set[str]:
        migrations = "\n".join(migration.sql for migration in self.subject.migrations)
        filled = {name.lower() for name in _INSERTS.findall(migrations)}
        # On a follow-up dev's own rows are there from the start, and prove nothing.
        return filled | (self._seeded if self.subject.request.base is None else set())

    async def _with_rows(self, tables: Sequence[str]) -> set[str]:
        if not tables:
            return set()
        sql = " union all ".join(
            f"select '{table}' where exists (select from \"{table}\")" for table in tables
        )
        result = await self.app.timelines.query(self.app.endpoint, sql)
        return {str(row[0]) for row in result.rows}

    async def _leftover(self, prober: Prober) -> list[Finding]:
        """The scaffold's own procedure must be gone, declared or not."""
        if prober.lost:
            return []
        placeholder = Procedure(name=PLACEHOLDER_PROCEDURE, kind=ProcedureKind.QUERY)
        answer = await prober.ask(placeholder)
        found = judge_answer(placeholder, answer) if answer is not None else []
        return [f for f in found if f.code == "placeholder"]

    async def _explained(self, findings: list[Finding]) -> list[Finding]:
        codes = {found.code for found in findings}
        if SERVER_ERROR in codes:
            log = await self.app.logs()
            findings = [with_cause(found, log) for found in findings]
        if MISSING in codes and (registered := await self._registered()):
            declared = [procedure.name for procedure in self._procedures]
            findings = [
                with_registered(found, declared, registered) if found.code == MISSING else found
                for found in findings
            ]
        return findings

    async def _registered(self) -> list[str]:
        """What the app's router really holds; [] when it does not say."""
        result = await self.app.execute(_LIST_PROCEDURES)
        line = result.stdout.strip().rpartition("\n")[2]
        if result.exit_code != 0 or not line.startswith('{"procedures":'):
            return []
        return [str(name) for name in json.loads(line)["procedures"]]


def _errors(findings: list[Finding]) -> list[Finding]:
    """What an app may not do whatever the input is."""
    return [found for found in findings if found.code in (SERVER_ERROR, NO_ANSWER)]


def _removes(procedure: Procedure) -> bool:
    last = procedure.name.rpartition(".")[2]
    return _is(procedure, ProcedureKind.MUTATION) and _REMOVES.match(last) is not None


def _is(procedure: Procedure, kind: ProcedureKind) -> bool:
    return procedure.kind is kind


def _table_of(router: str) -> str:
    """`orderItems` keeps its rows in `order_items`, by the template's convention."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", router.rpartition(".")[2]).lower()
